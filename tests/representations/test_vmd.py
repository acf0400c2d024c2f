"""Variational mode decomposition: known modes, the paper's equations, another implementation."""

import math
from bisect import bisect_left
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from faultdiag.representations.vmd import decompose
from tests.representations import oracles
from tests.representations.fronts import array, front, windows

TIME = torch.arange(1000, dtype=torch.float64) / 1000
TURN = 2 * math.pi


def tones() -> torch.Tensor:
    """Three tones of 2, 24 and 288 Hz in 1 s, as in the paper's first example; (3, 1000)."""
    parts = [(1.0, 2), (1 / 4, 24), (1 / 16, 288)]
    return torch.stack([a * torch.cos(TURN * f * TIME) for a, f in parts])


def chirps() -> torch.Tensor:
    """Components of 40, 150 and 320 Hz, modulated in amplitude and in frequency; (3, 1000)."""
    slow = (1 + 0.4 * torch.cos(TURN * 3 * TIME)) * torch.cos(TURN * 40 * TIME)
    wavy = 0.7 * torch.cos(TURN * (150 * TIME) + 2 * torch.sin(TURN * 2 * TIME))
    both = torch.cos(TURN * 320 * TIME + torch.cos(TURN * 4 * TIME))
    return torch.stack((slow, wavy, 0.5 * (1 + 0.3 * torch.sin(TURN * 5 * TIME)) * both))


CASES = pytest.mark.parametrize(
    ("parts", "expected"),
    [(tones(), [2, 24, 288]), (chirps(), [40, 150, 320])],
    ids=["tones", "chirps"],
)


def check_modes(
    modes: torch.Tensor, centres: torch.Tensor, parts: torch.Tensor, expected: list[float]
) -> None:
    np.testing.assert_allclose(1000 * array(centres), expected, rtol=0.01)
    for mode, part in zip(modes, parts, strict=True):
        assert torch.corrcoef(torch.stack((mode, part)))[0, 1] > 0.99


@CASES
def test_finds_known_modes(parts: torch.Tensor, expected: list[float]) -> None:
    modes, centres = decompose(parts.sum(0), modes=3)
    check_modes(modes, centres, parts, expected)
    rest = modes.sum(0) - parts.sum(0)
    assert rest.std() < 0.03 * parts.sum(0).std()


@CASES
@pytest.mark.parametrize("init", ["uniform", "logarithmic", "zero"])
def test_with_a_dual_the_modes_add_up_to_the_signal_from_any_start(
    parts: torch.Tensor, expected: list[float], init: Any
) -> None:
    # Without, a poor start may leave two modes at one component.
    x = parts.sum(0)
    modes, centres = decompose(x, modes=3, init=init, tau=1, tolerance=1e-10, iterations=2000)
    check_modes(modes, centres, parts, expected)
    assert (modes.sum(0) - x).std() < 5e-4 * x.std()


@pytest.mark.parametrize("length", [100, 101])
@pytest.mark.parametrize("init", ["uniform", "logarithmic", "zero"])
@pytest.mark.parametrize(("tau", "alpha", "modes"), [(0.0, 2000.0, 3), (0.2, 50.0, 4)])
def test_follows_the_equations(
    length: int, init: Any, tau: float, alpha: float, modes: int
) -> None:
    x = windows(3, 1, length)[:, 0]
    options: dict[str, Any] = {
        "modes": modes,
        "alpha": alpha,
        "tau": tau,
        "iterations": 30,
        "init": init,
    }
    found, centres = decompose(x, tolerance=0, **options)
    for i in range(3):
        expected = oracles.vmd(array(x[i]), **options)
        np.testing.assert_allclose(array(found[i]), expected[0], atol=1e-10)
        np.testing.assert_allclose(array(centres[i]), expected[1], atol=1e-10)


@pytest.mark.parametrize("length", [1000, 999])
@pytest.mark.parametrize("tau", [0.0, 0.1])
def test_agrees_with_the_maintained_implementation(length: int, tau: float) -> None:
    vmdpy = pytest.importorskip("sktime.libs.vmdpy")
    x = chirps().sum(0)[:length] + 0.1 * windows(1, 1, length)[0, 0]
    # Asked for no tolerance, it makes 499 sweeps and gives what the last but one had reached.
    found, lines, centres = vmdpy.VMD(array(x), 2000, tau, 3, False, 1, 0)
    modes, ours = decompose(x, modes=3, tau=tau, tolerance=0, iterations=498)
    np.testing.assert_allclose(array(ours), centres[-1], rtol=1e-10)
    # It repeats the last line at half the sampling rate, where a mirrored signal has nothing.
    # Of an odd length it gives the mirrored sample before the first and leaves out the last.
    late = length % 2
    difference = array(modes)[:, : length - late] - found[:, late:]
    alternating = (-1.0) ** np.arange(length - late)
    difference -= np.outer(difference @ alternating / alternating.size, alternating)
    assert np.abs(difference).max() < 1e-10
    assert lines.shape == (length, 3)


def test_each_signal_is_decomposed_as_if_alone() -> None:
    # They need unlike numbers of sweeps.
    x = torch.stack((tones().sum(0), chirps().sum(0), windows(1, 1, 1000)[0, 0]))
    options: dict[str, Any] = {"modes": 3, "tolerance": 1e-6}
    together, centres = decompose(x, **options)
    assert together.shape == (3, 3, 1000)
    for i in range(3):
        alone, centre = decompose(x[i], **options)
        torch.testing.assert_close(together[i], alone, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(centres[i], centre, rtol=1e-9, atol=1e-9)
    sweeps = [sweeps_of(x[i]) for i in range(3)]
    assert len(set(sweeps)) == 3


def sweeps_of(x: torch.Tensor) -> int:
    """The sweeps made before the tolerance is reached, by bisection."""
    reached, _ = decompose(x, modes=3, tolerance=1e-6)

    def short(sweeps: int) -> bool:
        return not torch.equal(decompose(x, modes=3, tolerance=1e-6, iterations=sweeps)[0], reached)

    return 1 + bisect_left(range(1, 500), True, key=lambda n: not short(n))


@pytest.mark.parametrize("x", [chirps().sum(0), windows(1, 1, 200)[0, 0]], ids=["chirps", "noise"])
def test_stops_when_the_modes_move_no_more_than_the_tolerance(x: torch.Tensor) -> None:
    sweeps = sweeps_of(x)
    reached = [
        decompose(x, modes=3, tolerance=0, iterations=n)[0] for n in range(sweeps - 2, sweeps + 1)
    ]
    before, after = (
        (later - earlier).square().sum() / x.square().sum() for earlier, later in pairwise(reached)
    )
    assert after < 1e-6 < before


def test_a_lower_alpha_gives_wider_modes() -> None:
    x = windows(4, 1, 500)[:, 0]

    def width(alpha: float) -> float:
        modes, centres = decompose(x, modes=3, alpha=alpha)
        power = torch.fft.rfft(modes).abs().square()
        f = torch.arange(251, dtype=torch.float64) / 500
        spread = (power * (f - centres[..., None]).square()).sum(-1) / power.sum(-1)
        return float(spread.mean())

    assert width(100) > 2 * width(5000)


# Powers of two, which change no other bit: sweeps over noise may magnify a rounding 10,000 times.
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), gain=st.sampled_from([-1.0, 2.0**-83, 2.0**83, 8.0]))
def test_a_gain_scales_the_modes_and_leaves_their_centres(seed: int, gain: float) -> None:
    x = windows(1, 1, 128, seed=seed, dtype=torch.float32)[0, 0]
    options: dict[str, Any] = {"modes": 3, "tolerance": 0, "iterations": 20}
    modes, centres = decompose(x, **options)
    louder, same = decompose(gain * x, **options)
    torch.testing.assert_close(louder / gain, modes, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(same, centres, rtol=1e-6, atol=0)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), length=st.integers(16, 90))
def test_modes_of_the_reversed_signal_are_reversed(seed: int, length: int) -> None:
    x = windows(1, 1, length, seed=seed)[0, 0]
    options: dict[str, Any] = {"modes": 4, "tolerance": 0, "iterations": 10}
    modes, centres = decompose(x, **options)
    reversed_modes, same = decompose(x.flip(-1), **options)
    torch.testing.assert_close(reversed_modes.flip(-1), modes, rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(same, centres, rtol=1e-9, atol=1e-12)


def test_centres_rise_and_the_front_end_gives_the_modes_as_channels() -> None:
    x = windows(3, 2)
    modes, centres = decompose(x, modes=5)
    assert modes.shape == (3, 2, 5, 200)
    assert (centres.diff(dim=-1) >= 0).all()
    assert torch.equal(front("vmd", 2, modes=5)(x), modes.flatten(1, 2))


def test_silence_has_silent_modes() -> None:
    modes, centres = decompose(torch.zeros(2, 50))
    assert torch.equal(modes, torch.zeros(2, 4, 50))
    assert centres.isfinite().all()
