"""What a block refuses before it sees data, and what it says."""

import re
from typing import Any

import pytest
import torch

from faultdiag.attention import BLOCKS, build
from faultdiag.errors import FaultdiagError

REFUSED: list[tuple[str, int, dict[str, Any], str]] = [
    ("se", 16, {"reduction": 32}, "'se': reduction is 32 at 16 channels; use 1 to 16"),
    ("se", 16, {"reduction": 0}, "'se': reduction is 0 at 16 channels; use 1 to 16"),
    ("cbam", 8, {"reduction": 16}, "'cbam': reduction is 16 at 8 channels; use 1 to 8"),
    ("cbam_nobn", 8, {"reduction": 9}, "'cbam_nobn': reduction is 9 at 8 channels"),
    ("cbam_r8", 4, {"reduction": 8}, "'cbam_r8': reduction is 8 at 4 channels; use 1 to 4"),
    ("channel_product", 4, {"reduction": 5}, "'channel_product': reduction is 5 at 4 channels"),
    ("ca", 16, {"reduction": 0}, "'ca': reduction is 0; use 1 or more"),
    ("ca", 16, {"min_width": 0}, "'ca': min_width is 0; use 1 or more"),
    ("bi_eca", 16, {"reduction": 0}, "'bi_eca': reduction is 0; use 1 or more"),
    ("eca", 16, {"kernel_size": 4}, "'eca': kernel_size is 4 but must be odd; use 3 or 5"),
    ("eca", 16, {"kernel_size": 0}, "'eca': kernel_size is 0 but must be odd; use 1 or 3"),
    ("cbam", 16, {"kernel_size": 8}, "'cbam': kernel_size is 8 but must be odd; use 7 or 9"),
    ("cbam_nobn", 16, {"kernel_size": 2}, "'cbam_nobn': kernel_size is 2 but must be odd"),
    ("cbam_r8", 16, {"kernel_size": 2}, "'cbam_r8': kernel_size is 2 but must be odd"),
    ("bi_eca", 16, {"kernel_size": 2}, "'bi_eca': kernel_size is 2 but must be odd"),
    ("triplet", 16, {"kernel_size": 6}, "'triplet': kernel_size is 6 but must be odd"),
    ("emca", 16, {"kernel_size": 6}, "'emca': kernel_size is 6 but must be odd"),
    (
        "multi_kernel_eca",
        16,
        {"kernel_sizes": (3, 4)},
        "'multi_kernel_eca': a size in kernel_sizes is 4 but must be odd; use 3 or 5",
    ),
    (
        "multi_kernel_eca",
        16,
        {"kernel_sizes": (3,)},
        "mixes kernels, found 1 in kernel_sizes; use 2 or more, or the block 'eca' for one",
    ),
    (
        "emca",
        32,
        {"previous_channels": (16, 24)},
        "'emca': one of previous_channels is 24, which does not divide 32 channels; "
        "use one of 1, 2, 4, 8, 16, 32",
    ),
    ("psa", 18, {}, "'psa' needs channels divisible by 4, found 18; use 16 or 20"),
    ("psa", 2, {}, "'psa' needs channels divisible by 4, found 2; use 4"),
    ("psa", 16, {"groups": (1, 2)}, "'psa' has 4 kernel_sizes but 2 groups; give one number"),
    ("psa", 16, {"kernel_sizes": (3, 4, 5, 7)}, "'psa': a size in kernel_sizes is 4 but must be"),
    ("psa", 16, {"groups": (1, 0, 1, 1)}, "'psa': a number in groups is 0; use 1 or more"),
    (
        "psa",
        16,
        {"kernel_sizes": (3,), "groups": (1,)},
        "'psa' weighs kernels against each other, found 1 in kernel_sizes; use 2 or more",
    ),
    ("sk", 16, {"kernel_sizes": (3,), "dilations": (1,)}, "'sk' selects among kernels, found 1"),
    ("sk", 16, {"dilations": (1, 2, 3)}, "'sk' has 2 kernel_sizes but 3 dilations; give one"),
    ("sk", 16, {"kernel_sizes": (3, 4)}, "'sk': a size in kernel_sizes is 4 but must be odd"),
    ("sk", 16, {"dilations": (1, 0)}, "'sk': a number in dilations is 0; use 1 or more"),
    (
        "sk",
        16,
        {"groups": 3},
        "'sk': groups is 3, which does not divide 16 channels; use one of 1, 2, 4, 8, 16",
    ),
    (
        "self_attention",
        16,
        {"heads": 3},
        "'self_attention': heads is 3, which does not divide 16 channels; use one of 1, 2, 4, 8",
    ),
    ("self_attention", 16, {"heads": 0}, "'self_attention': heads is 0, which does not divide"),
    ("self_attention", 16, {"mask": "padding"}, "mask is 'padding'"),
    ("axial", 16, {"heads": 5}, "'axial': heads is 5, which does not divide 16 channels"),
    ("axial", 16, {"fold": 0}, "'axial': fold is 0; use 1 or more"),
    ("eca", 16, {"kernel": 3}, "has no option 'kernel' (did you mean 'kernel_size'?)"),
    ("se", 16, {"residual": True}, "attention block 'se' has no option 'residual'"),
    ("sse", 16, {}, "unknown attention block 'sse' (did you mean 'se'?)"),
]


@pytest.mark.parametrize(("name", "channels", "options", "text"), REFUSED)
def test_refused(name: str, channels: int, options: dict[str, Any], text: str) -> None:
    with pytest.raises(FaultdiagError, match=re.escape(text)):
        build(name, channels, **options)


@pytest.mark.parametrize("name", list(BLOCKS))
@pytest.mark.parametrize("channels", [0, -4])
def test_no_channels(name: str, channels: int) -> None:
    text = f"attention block '{name}': channels is {channels}; use 1 or more"
    with pytest.raises(FaultdiagError, match=re.escape(text)):
        build(name, channels)


def test_fold_that_does_not_divide_the_length() -> None:
    block = build("axial", 16, fold=5)
    assert block(torch.zeros(1, 16, 10)).shape == (1, 16, 10)
    text = (
        "attention block 'axial': fold is 5, which does not divide a map of length 32; "
        "use one of 1, 2, 4, 8, 16, 32"
    )
    with pytest.raises(FaultdiagError, match=re.escape(text)):
        block(torch.zeros(1, 16, 32))


def test_emca_with_other_descriptors_than_announced() -> None:
    block = build("emca", 32, previous_channels=(16,))
    text = "takes descriptors of earlier stages with channels [16], found []"
    with pytest.raises(FaultdiagError, match=re.escape(text)):
        block(torch.zeros(2, 32, 8))
    text = "found [8]; build it with previous_channels=(8,)"
    with pytest.raises(FaultdiagError, match=re.escape(text)):
        block(torch.zeros(2, 32, 8), [torch.zeros(2, 8)])


@pytest.mark.parametrize(("name", "length"), [("sk", 32), ("cbam", 1), ("triplet", 1)])
def test_training_on_a_single_value_per_channel(name: str, length: int) -> None:
    block, x = build(name, 16), torch.randn(1, 16, length)
    text = (
        f"attention block '{name}' has a BatchNorm that would see 1 value per channel in training; "
        "use a batch of 2 or more and drop a last batch of 1"
    )
    with pytest.raises(FaultdiagError, match=re.escape(text)):
        block(x)
    assert block.eval()(x).shape == x.shape
