"""What a column of numbers is, by its samples alone."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultdiag.readers.read import read_recording
from faultdiag.signal.kinds import signal_kind

N = 20_000
I = np.arange(N)  # noqa: E741


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(N)


def pulses(seed: int, every: int, width: int) -> np.ndarray:
    return (I % every < width) * 5.0 + 0.05 * noise(seed)


@given(
    seed=st.integers(0, 1000),
    kind=st.sampled_from(
        [
            ("rising", lambda s: I / (1000 + 50 * s)),
            ("rising", lambda s: (I % (50 + s)) / 1000.0),
            ("rising", lambda s: -I * 0.1),
            ("rising", lambda s: 20 + I / 500 + 0.05 * noise(s)),
            ("constant", lambda s: 1480 + noise(s)),
            ("constant", lambda s: 45 + 0.2 * noise(s)),
            ("levels", lambda s: np.random.default_rng(s).integers(0, 2 + s % 9, N)),
            ("levels", lambda s: np.repeat([0.0, 3.0, 1.0, 2.0], N // 4)),
            ("pulses", lambda s: pulses(s, 400, 20)),
            ("pulses", lambda s: pulses(s, 300 + s % 50, 1)),
            ("slow", lambda s: 10 * np.sin(2 * np.pi * 50 / 12_000 * I) + 0.01 * noise(s)),
            ("vibration", noise),
            ("vibration", lambda s: 9.81 + 0.4 * noise(s)),
            ("vibration", lambda s: np.round(20 * noise(s))),
            ("vibration", lambda s: np.sin(0.7 * I) + 0.1 * noise(s)),
        ]
    ),
    gain=st.sampled_from([1e-3, 1.0, 1e3]),
)
@settings(max_examples=150, deadline=None)
def test_kinds(seed: int, kind, gain: float) -> None:
    expected, make = kind
    assert signal_kind(gain * make(seed)).kind == expected


@pytest.mark.parametrize("values", [[], [1.0], [2.0] * 99, [np.nan] * 99])
def test_nothing_to_see(values: list[float]) -> None:
    assert signal_kind(values).kind == "constant"


@pytest.mark.real
def test_every_real_channel_is_a_vibration(real_files: list[Path]) -> None:
    for path in real_files:
        recording = read_recording(path)
        for name, row in zip(recording.channels, recording.signal, strict=True):
            for samples in (row, row[:16_384]):
                assert signal_kind(samples).is_vibration, (path, name)
