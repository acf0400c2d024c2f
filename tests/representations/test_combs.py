"""fault_order_combs against the law written out in numpy, and on simulated bearings."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from faultdiag.representations.fault_order_combs import _band_edges
from faultdiag.signal.bearings import conditions as conditions_of
from faultdiag.signal.bearings import get_bearing
from tests.representations import oracles
from tests.representations.fronts import array, conditions, front, windows


@pytest.mark.parametrize("length", [200, 201])
@pytest.mark.parametrize("whiten", [True, False])
@pytest.mark.parametrize(
    ("harmonics", "sidebands", "slip", "slips"),
    [(4, 2, 0.015, 97), (3, 1, 0.1, 7), (3, 3, 0.0, 1)],
)
def test_combs_are_the_law(
    *, length: int, whiten: bool, harmonics: int, sidebands: int, slip: float, slips: int
) -> None:
    x, known = windows(3, 1, length), conditions()
    options = {"whiten": whiten, "slip": slip, "slips": slips, "bands": 3}
    built = front(
        "fault_order_combs", 1, length, harmonics=harmonics, sidebands=sidebands, **options
    )
    found = array(built(x, known)).reshape(3, 3, 4, -1)
    edges, _ = _band_edges(length // 2, 3)
    grid = np.linspace(-slip, slip, slips)
    for window, (rate, bpfo, bpfi, bsf, ftf) in enumerate(array(known)):
        levels = oracles.band_levels(array(x)[window, 0], edges, whiten=whiten)
        lines, sizes = rate * length / 1000, (harmonics, sidebands)
        for part, orders in enumerate(((bpfi, 1.0), (bpfo, 1.0), (2 * bsf, ftf))):
            expected = oracles.comb(levels, lines, orders, grid, sizes)
            np.testing.assert_allclose(found[window, part], expected, rtol=1e-6, atol=1e-6)


def test_bands_cover_the_spectrum_and_the_last_is_all_of_it() -> None:
    edges, reach = _band_edges(18000, 12)
    assert reach == 3600
    assert edges[0] == (1, 3601)
    assert edges[11] == (14401, 18001)
    assert edges[12] == (1, 18001)
    assert all(after[0] < before[1] for before, after in pairwise(edges[:12]))


def test_channels_share_the_slip_of_the_clearest_line() -> None:
    x, known = windows(3, 2), conditions()
    both = front("fault_order_combs", 2)(x, known).unflatten(1, (3, 2, 13))
    twice = front("fault_order_combs", 2)(x[:, :1].expand(-1, 2, -1), known)
    alone = front("fault_order_combs")(x[:, :1], known).unflatten(1, (3, 1, 13))
    assert torch.equal(twice.unflatten(1, (3, 2, 13)), alone.expand(-1, -1, 2, -1, -1))
    # Each window and part has the slip of one of its channels, so that one of them is unchanged.
    other = front("fault_order_combs")(x[:, 1:], known).unflatten(1, (3, 1, 13))
    same = [
        (both[:, :, [c]] - single).abs().amax((2, 3, 4)) for c, single in ((0, alone), (1, other))
    ]
    assert (torch.minimum(*same) < 1e-9).all()


@pytest.mark.parametrize("name", ["6205", "6203", "NICE"])
@pytest.mark.parametrize("part", [0, 1, 2])
@pytest.mark.parametrize("slip", [-0.01, 0.0, 0.012])
def test_impacts_at_a_fault_order_raise_the_comb_of_that_part(
    name: str, part: int, slip: float
) -> None:
    bearing, rpm, rate, length = get_bearing(name), 1772.0, 6000, 18000
    shaft, bpfo, bpfi, bsf, ftf = conditions_of(rpm, bearing)
    fault = (bpfi, bpfo, 2 * bsf)[part] * (1 + slip) * shaft
    side = (1.0, 0.0, ftf)[part] * shaft
    time = np.arange(length) / rate
    random = np.random.default_rng(part)
    hits = np.arange(0, length / rate, 1 / fault)
    hits += random.normal(0, 2e-5, hits.size)
    force = 1 + 0.8 * np.cos(2 * np.pi * side * hits) * (side > 0)
    delay = np.maximum(time[:, None] - hits, 0)
    ringing = np.exp(-900 * delay) * np.sin(2 * np.pi * 1700 * delay)
    x = torch.from_numpy(ringing @ force + 0.05 * random.standard_normal(length))[None, None]
    known = torch.tensor([conditions_of(rpm, bearing)], dtype=torch.float64)
    combs = front("fault_order_combs", 1, length, rate)(x, known).view(3, 13, 4, 5)
    moving, fixed = combs[..., :3, 1:4].sum((-2, -1)) / 3, combs[..., 2].sum(-1) / 2
    score = torch.stack((moving[0], fixed[1], moving[2])).amax(-1)
    assert score.argmax() == part
    assert score[part] > 4


def test_noise_has_the_spread_that_is_the_unit() -> None:
    x = windows(8, 1, 12000)
    # All teeth are on lines: between two of them a reading varies less.
    known = torch.tensor([[30.0, 3.6, 5.4, 2.4, 0.4]] * 8, dtype=torch.float64)
    combs = front("fault_order_combs", 1, 12000, 12000, slips=1, slip=0.0)(x, known)
    assert combs.std() == pytest.approx(1.0, abs=0.1)
    # The mean of the logarithm of a Rayleigh amplitude is 0.165 spreads below its median.
    assert combs.mean() == pytest.approx(-0.165, abs=0.1)


def test_a_tooth_outside_the_spectrum_is_zero() -> None:
    # The spectra reach to a tenth of the rate, 1200 Hz: at 100 Hz that is order 12.
    known = torch.tensor([[100.0, 3.58, 5.42, 2.36, 0.4]], dtype=torch.float64)
    combs = front("fault_order_combs", 1, 12000, 12000)(windows(1, 1, 12000), known)
    inner = combs.view(3, 13, 4, 5)[0]
    assert (inner[:, 2:] == 0).all()
    assert (inner[:, :2, 0] != 0).all()
