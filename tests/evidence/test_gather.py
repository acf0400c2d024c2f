"""All values of the evidence of a recording against NumPy in double precision."""

import numpy as np
import pytest

from faultdiag.evidence.gather import Evidence, Machine, gather
from faultdiag.evidence.peaks import highest_order
from faultdiag.evidence.severity import severity
from faultdiag.features.extract import statistics_of_windows, summarise
from faultdiag.signal.bearings import get_bearing
from tests.evidence.signals import FS, RPM, SHAFT, Floats, envelope_of, impacts, prominence_at

BEARING = get_bearing("6205")
LENGTH = 2048


@pytest.fixture(scope="module")
def x() -> Floats:
    return impacts(5.40, seconds=8.0, modulation=0.8)


@pytest.fixture(scope="module")
def evidence(x: Floats) -> Evidence:
    windows = x[: x.size // LENGTH * LENGTH].reshape(-1, LENGTH)
    statistics = summarise(statistics_of_windows(windows))
    single = x.astype(np.float32)[None]
    return gather(single, ["DE"], Machine(FS, RPM, BEARING), [statistics])


def test_statistics_are_medians_over_windows(x: Floats, evidence: Evidence) -> None:
    windows = [x[i : i + LENGTH] for i in range(0, x.size - LENGTH + 1, LENGTH)]
    centred = [window - window.mean() for window in windows]
    rms = [np.sqrt((w**2).mean()) for w in centred]
    kurtosis = [(w**4).mean() / (w**2).mean() ** 2 for w in centred]
    crest = [np.abs(w).max() / np.sqrt((w**2).mean()) for w in centred]
    found = evidence.statistics
    assert found.rms == pytest.approx(np.median(rms), rel=1e-6)
    assert found.kurtosis == pytest.approx(np.median(kurtosis), rel=1e-6)
    assert found.crest_factor == pytest.approx(np.median(crest), rel=1e-6)
    assert found.windows == len(windows)


def test_frequency_and_order_are_those_of_the_largest_line(x: Floats, evidence: Evidence) -> None:
    family = evidence.matched
    assert family is not None
    assert family.fault == "BPFI"
    frequencies, amplitudes = envelope_of(x, FS, family.band)
    for line in family.lines:
        near = np.abs(frequencies - line.harmonic * BEARING.orders.bpfi * SHAFT) < 0.5 * SHAFT
        largest = frequencies[near][amplitudes[near].argmax()]
        assert line.frequency == pytest.approx(largest, abs=0.3)
        assert line.order == pytest.approx(largest / SHAFT, abs=0.01)
        assert line.prominence == pytest.approx(
            prominence_at(x, FS, family.band, line.frequency), abs=0.1
        )


def test_sidebands_are_those_that_stand_out(x: Floats, evidence: Evidence) -> None:
    family = evidence.matched
    assert family is not None
    for line in family.lines:
        beside = [line.frequency + k * SHAFT for k in (-2, -1, 1, 2)]
        beside = [f for f in beside if f < highest_order(BEARING) * SHAFT]
        levels = [prominence_at(x, FS, family.band, frequency) for frequency in beside]
        # Between 0.6 and 0.8 rounding decides.
        least, most = (sum(level > limit for level in levels) for limit in (0.8, 0.6))
        assert least <= line.sidebands <= most


def test_the_velocity_is_that_of_the_integrated_signal(x: Floats) -> None:
    t = np.arange(8 * FS) / FS
    y = x + 0.5 * np.sin(2 * np.pi * 60 * t)
    lines = np.fft.rfft(9.80665 * (y - y.mean()))
    frequencies = np.fft.rfftfreq(y.size, 1 / FS)
    inside = (frequencies >= 10) & (frequencies <= 1000)
    lines = np.where(inside, lines, 0) / np.where(inside, 2j * np.pi * frequencies, 1)
    velocity = 1000 * np.fft.irfft(lines, y.size)
    found = severity(y.astype(np.float32), FS, units="g").velocity
    assert found == pytest.approx(np.sqrt((velocity**2).mean()), rel=1e-3)
