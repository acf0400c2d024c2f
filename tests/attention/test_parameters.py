"""Parameter counts: the specified numbers and the formulas of the docstrings."""

from math import gcd
from typing import Any

import pytest

from faultdiag.attention import BLOCKS, build
from faultdiag.attention.eca import adaptive_kernel

WIDTHS = (16, 32, 64, 128)
SPECIFIED = {
    "none": (0, 0, 0, 0),
    "se": (32, 128, 512, 2048),
    "cbam": (65, 178, 596, 2200),
    "cbam_nobn": (47, 143, 527, 2063),
    "cbam_r8": (78, 270, 1038, 4110),
    "channel_product": (32, 128, 512, 2048),
    "eca": (3, 3, 3, 5),
    "ca": (440, 856, 1688, 3352),
    "multi_kernel_eca": (66, 114, 210, 402),
    "bi_eca": (27, 78, 276, 1056),
    "triplet": (132, 132, 132, 132),
    "emca": (3, 3, 3, 5),
    "psa": (541, 1625, 5873, 23458),
    "sk": (3200, 9408, 31040, 111168),
    "self_attention": (1088, 4224, 16640, 66048),
    "axial": (2080, 8256, 32896, 131328),
}


def parameters(name: str, channels: int, **options: Any) -> int:
    return sum(p.numel() for p in build(name, channels, **options).parameters())


def test_every_block_has_a_specified_count() -> None:
    assert set(SPECIFIED) == set(BLOCKS)


@pytest.mark.parametrize(("name", "counts"), list(SPECIFIED.items()))
def test_defaults(name: str, counts: tuple[int, ...]) -> None:
    assert tuple(parameters(name, c) for c in WIDTHS) == counts


@pytest.mark.parametrize("c", WIDTHS)
def test_formulas_of_options(c: int) -> None:
    d, q = c // 4, c // 2
    assert parameters("se", c, reduction=4, bias=True) == 2 * c * d + d + c
    assert parameters("eca", c, kernel_size=9, bias=True) == 10
    assert parameters("cbam", c, reduction=4, kernel_size=3) == 2 * c * d + d + c + 2 * 3 + 2
    assert parameters("cbam_nobn", c, reduction=4, kernel_size=3) == 2 * c * d + 2 * 3 + 1
    assert parameters("cbam_r8", c, reduction=4, kernel_size=3) == 2 * c * d + 2 * 3
    assert parameters("channel_product", c, reduction=4) == 2 * c * d
    assert parameters("ca", c, reduction=4, min_width=1) == 3 * c * d + 3 * d + 2 * c
    assert parameters("multi_kernel_eca", c, kernel_sizes=(3, 9)) == 12 + 2 * c + 2
    assert parameters("bi_eca", c, kernel_size=5, reduction=4) == 10 + (c + 1) * d + 2 * d + 2
    assert parameters("triplet", c, kernel_size=3) == 2 * 9 + 4 * 3 + 6
    assert parameters("self_attention", c, heads=2, qkv_bias=False) == 4 * c * c + c
    grouped = sum(c * q * k // gcd(g, q) for k, g in ((3, 1), (5, 8)))
    h = q // 2
    psa = parameters("psa", c, kernel_sizes=(3, 5), groups=(1, 8), reduction=2)
    assert psa == grouped + 2 * q * h + h + q
    sk = parameters("sk", c, kernel_sizes=(3, 5), dilations=(1, 1), groups=4, min_width=2)
    z = max(2, c // 16)
    assert sk == c * c // 4 * 8 + 4 * c + c * z + 2 * z + 2 * c * z


@pytest.mark.parametrize(
    ("channels", "previous", "count"),
    [(32, (16,), 10), (64, (16, 32), 11), (128, (16, 32, 64), 16)],
)
def test_emca_after_earlier_stages(channels: int, previous: tuple[int, ...], count: int) -> None:
    assert parameters("emca", channels, previous_channels=previous) == count


@pytest.mark.parametrize("name", ["se", "cbam", "cbam_nobn", "cbam_r8", "channel_product"])
def test_implied_reduction_leaves_one_hidden_unit(name: str) -> None:
    assert parameters(name, 4) == parameters(name, 4, reduction=4)


def test_adaptive_kernel_changes_where_the_paper_says() -> None:
    sizes = [adaptive_kernel(c) for c in range(1, 4097)]
    changes = [c + 1 for c in range(1, 4096) if sizes[c] != sizes[c - 1]]
    assert changes == [8, 128, 2048]
    assert sorted(set(sizes)) == [1, 3, 5, 7]
