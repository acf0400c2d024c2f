"""Envelope peaks of simulated impacts and of real recordings."""

from pathlib import Path

import numpy as np
import pytest

from faultdiag.evidence.peaks import (
    LEAST_PROMINENCE,
    LONGEST,
    EnvelopePeak,
    analysis_bands,
    averaged_envelope_spectra,
    envelope_peaks,
    known_lines,
    too_short,
)
from faultdiag.readers.read import read_recording
from faultdiag.signal.bearings import get_bearing

BEARING = get_bearing("6205")
FS, RPM = 12000, 1800.0


def impacts(order: float, *, seconds: float = 10.0, ringing: float = 3000.0) -> np.ndarray:
    """Decaying oscillations at an order of the shaft, in noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=round(seconds * FS)) * 0.3
    period = FS / (order * RPM / 60)
    t = np.arange(120) / FS
    ring = np.exp(-t * 800) * np.sin(2 * np.pi * ringing * t)
    for k in range(int((x.size - 200) / period)):
        start = round(k * period)
        x[start : start + t.size] += ring
    return x


@pytest.mark.parametrize(
    ("order", "name"),
    [(5.40, "BPFI"), (3.60, "BPFO"), (2 * 2.345, "2×BSF"), (1.0, "shaft"), (0.401, "FTF")],
)
def test_impacts_are_found_and_named(order: float, name: str) -> None:
    peaks = envelope_peaks(impacts(order), FS, rpm=RPM, bearing=BEARING)
    found = next(peak for peak in peaks if peak.matches[:1] == (name,))
    assert found.order == pytest.approx(order, rel=1e-3, abs=0.1 / 30)  # a line of 0.1 Hz
    assert found.frequency == pytest.approx(order * RPM / 60, rel=1e-3, abs=0.1)
    assert found.prominence > 1
    assert found.amplitude > 0
    assert peaks == sorted(peaks, key=lambda peak: -peak.prominence)


def test_the_band_is_where_the_impacts_ring() -> None:
    for ringing in (1500.0, 4500.0):
        peaks = envelope_peaks(impacts(5.4, ringing=ringing), FS, rpm=RPM, bearing=BEARING)
        low, high = peaks[0].band
        assert low < ringing < high


def test_noise_has_no_peaks() -> None:
    x = np.random.default_rng(1).normal(size=10 * FS)
    assert envelope_peaks(x, FS, rpm=RPM, bearing=BEARING) == []
    assert envelope_peaks(np.zeros(10 * FS), FS, rpm=RPM) == []


def test_without_a_speed_there_are_hz_only() -> None:
    peaks = envelope_peaks(impacts(5.4), FS, bearing=BEARING)
    assert 162.0 in [pytest.approx(peak.frequency, abs=0.1) for peak in peaks]
    assert {peak.order for peak in peaks} == {None}
    assert {peak.matches for peak in peaks} == {()}


def test_without_a_bearing_there_is_the_shaft_only() -> None:
    peaks = envelope_peaks(impacts(1.0), FS, rpm=RPM)
    assert peaks
    names = {name for peak in peaks for name in peak.matches}
    assert {"shaft", "2×shaft"} < names
    assert all(name.endswith(("shaft", "mains")) for name in names)


def test_at_most_so_many_peaks_and_none_twice() -> None:
    peaks = envelope_peaks(impacts(0.401), FS, rpm=RPM, bearing=BEARING, count=5)
    orders = sorted(peak.order or 0.0 for peak in peaks)
    assert len(orders) == 5
    assert np.diff(orders).min() > 0.06
    assert min(peak.prominence for peak in peaks) >= LEAST_PROMINENCE


def test_hum_of_the_mains_is_named() -> None:
    t = np.arange(10 * FS) / FS
    hum = (1 + 0.5 * np.cos(2 * np.pi * 120.02 * t)) * np.sin(2 * np.pi * 3000 * t)
    x = hum + 0.1 * np.random.default_rng(0).normal(size=t.size)
    peaks = envelope_peaks(x, FS, rpm=1772, bearing=BEARING)
    assert peaks[0].matches == ("120 Hz mains",)
    assert envelope_peaks(x, FS)[0].matches == ("120 Hz mains",)


def test_a_long_signal_is_averaged_over_stretches() -> None:
    x = np.tile(impacts(5.4), 9)  # 1,080,000 samples: three stretches
    band = [(1800.0, 4200.0)]
    spectrum = averaged_envelope_spectra(x, FS, band)[0]
    stretch = averaged_envelope_spectra(x[: x.size // 3], FS, band)[0]
    assert x.size > 2 * LONGEST
    assert np.array_equal(spectrum.frequencies, stretch.frequencies)
    place = round(162 / spectrum.frequencies[1])
    near = slice(place - 5, place + 6)
    assert spectrum.amplitudes[near].max() == pytest.approx(stretch.amplitudes[near].max(), rel=0.1)


def test_bands_cover_the_spectrum() -> None:
    whole, *slices = analysis_bands(FS, 360.0)
    assert whole == (0.0, 6000.0)
    assert slices[0] == (0.0, 1200.0)
    assert slices[-1] == (4800.0, 6000.0)
    assert all(high - low == 1200 for low, high in slices)
    assert analysis_bands(FS, 1000.0)[1] == (0.0, 2000.0)
    assert analysis_bands(1000, 360.0) == [(0.0, 500.0)]


@pytest.mark.parametrize("fs", [200.0, 1000.0, 12000.0])
def test_slow_sampling_is_no_error(fs: float) -> None:
    x = np.random.default_rng(0).normal(size=20_000)
    for peak in envelope_peaks(x, fs, rpm=RPM, bearing=BEARING):
        assert isinstance(peak, EnvelopePeak)
        assert peak.frequency < fs / 2


def test_known_lines_of_a_bearing() -> None:
    lines = {line.name: line for line in known_lines(BEARING)}
    assert lines["3×BPFO"].order == pytest.approx(10.755, abs=1e-3)
    assert lines["2×BPFI-shaft"].order == pytest.approx(9.830, abs=1e-3)
    assert lines["2×BSF+FTF"].order == pytest.approx(5.112, abs=1e-3)
    assert [name for name, line in lines.items() if not line.sideband][:2] == ["shaft", "2×shaft"]
    assert all(0 < line.tolerance <= 0.1 for line in lines.values())


def test_too_short() -> None:
    assert too_short(6400, FS, RPM) is None
    assert too_short(6000, FS, RPM) == "15.0 revolutions; 16 are needed"
    assert too_short(6000, FS, None) is None
    assert too_short(1000, FS, None) == "0.0833 s; 0.5 s are needed"


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "fs", "order", "match"),
    [
        ("12k_DE/105", 12000, 5.40, "BPFI"),
        ("12k_DE/212", 12000, 5.40, "BPFI"),
        ("48k_DE/109", 48000, 5.40, "BPFI"),
        ("12k_DE/130", 12000, 3.595, "BPFO"),
        ("12k_DE/236", 12000, 3.595, "BPFO"),
    ],
)
def test_race_faults_of_cwru(
    real_data: Path, name: str, fs: float, order: float, match: str
) -> None:
    recording = read_recording(real_data / "cwru" / f"{name}.mat", channel="DE")
    peaks = envelope_peaks(recording.signal[0], fs, rpm=recording.rpm, bearing=BEARING)
    # The fundamental, or its second harmonic, is the strongest of all.
    assert any(found.endswith(match) for found in peaks[0].matches)
    found = next(peak for peak in peaks if peak.matches[:1] == (match,))
    assert found.order == pytest.approx(order, abs=0.0101)
    assert found.prominence > 1.8


@pytest.mark.real
@pytest.mark.parametrize(("name", "match"), [("Inner", "BPFI"), ("Outer", "BPFO")])
def test_race_faults_of_mfpt(real_data: Path, name: str, match: str) -> None:
    for number in (1, 2):
        recording = read_recording(real_data / "mfpt" / f"{name}RaceFault_vload_{number}.mat")
        peaks = envelope_peaks(
            recording.signal[0],
            recording.sampling_rate,
            rpm=recording.rpm,
            bearing=get_bearing("NICE"),
        )
        assert (match,) in [peak.matches for peak in peaks[:2]]
