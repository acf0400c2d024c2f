"""The table of blocks."""

import subprocess
import sys

from faultdiag.attention import BLOCKS, build
from faultdiag.models.describe import describe_blocks
from faultdiag.report.tables import attention_text


def test_a_row_for_every_block_in_order() -> None:
    assert [row["name"] for row in describe_blocks()] == list(BLOCKS)


def test_facts_of_a_block() -> None:
    row = next(row for row in describe_blocks() if row["name"] == "bi_eca")
    assert row["options"] == {"kernel_size": 3, "reduction": 16, "double_sigmoid": False}
    assert row["parameters"] == {16: 27, 32: 78, 64: 276, 128: 1056}
    assert row["multiply_adds"] == 2 * 3 * 32 + 32 * 2 + 2 * 2
    assert "arXiv:1910.03151" in row["reference"]
    assert row["summary"].startswith("Channel gate from two convolutions")


def test_every_row_has_a_summary_and_a_source() -> None:
    for row in describe_blocks():
        assert row["summary"].endswith(".")
        assert row["reference"]


def test_importing_the_package_leaves_torch_alone() -> None:
    code = (
        'import sys, faultdiag.attention as a; assert "eca" in a.BLOCKS; '
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unset_option_is_told_as_what_it_stands_for() -> None:
    options = {fact["name"]: fact["options"] for fact in describe_blocks()}
    assert options["se"]["reduction"] == options["cbam"]["reduction"] == 16
    assert options["cbam_r8"]["reduction"] == 8
    assert options["eca"]["kernel_size"] == "adaptive"
    assert "previous_channels" not in options["emca"]
    # What is described is what is built.
    for name, reduction in (("se", 16), ("cbam_r8", 8), ("channel_product", 16)):
        unset, described = (
            [p.shape for p in build(name, 64, **given).parameters()]
            for given in ({}, {"reduction": reduction})
        )
        assert unset == described


def test_the_text_names_every_block_and_its_source() -> None:
    facts = describe_blocks()
    text = attention_text(facts)
    for fact in facts:
        assert f"\n{fact['name']} " in text
        assert fact["reference"] in text
