"""The table of blocks."""

import subprocess
import sys

from faultdiag.attention import BLOCKS
from faultdiag.attention.describe import describe


def test_a_row_for_every_block_in_order() -> None:
    assert [row["name"] for row in describe()] == list(BLOCKS)


def test_facts_of_a_block() -> None:
    row = next(row for row in describe() if row["name"] == "bi_eca")
    assert row["options"] == {"kernel_size": 3, "reduction": 16, "double_sigmoid": False}
    assert row["parameters"] == {16: 27, 32: 78, 64: 276, 128: 1056}
    assert row["multiply_adds"] == 2 * 3 * 32 + 32 * 2 + 2 * 2
    assert "arXiv:1910.03151" in row["reference"]
    assert row["summary"].startswith("Channel gate from two convolutions")


def test_every_row_has_a_summary_and_a_source() -> None:
    for row in describe():
        assert row["summary"].endswith(".")
        assert row["reference"]


def test_importing_the_package_leaves_torch_alone() -> None:
    code = (
        'import sys, faultdiag.attention as a; assert "eca" in a.BLOCKS; '
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
