"""The evidence of one recording: what its signal says by itself, beside what a network says."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from faultdiag.evidence.families import FaultFamily, fault_families
from faultdiag.evidence.peaks import (
    EnvelopePeak,
    EnvelopeSpectra,
    find_peaks,
    measure_envelopes,
    too_short,
)
from faultdiag.evidence.physics import Agreement, PhysicsVerdict, compare, part_of, physics_verdict
from faultdiag.evidence.rate_check import RateCheck, check_rate
from faultdiag.features.extract import HealthyRatios, HealthyReference, WindowStatistics
from faultdiag.features.orders import SLIP
from faultdiag.signal.bearings import KnownBearing, ambiguity

PEAKS = 8
# Of longer recordings only the beginning is examined, so that memory stays bounded.
MOST_SAMPLES = 2**22


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence for or against a diagnosis.

    Parameters
    ----------
    channel
        The channel it was found in: the one with the largest score of physics, or else the one
        with the most prominent line.
    seconds
        Length of the examined part of the recording.
    peaks
        Most prominent lines of the envelope spectra, the strongest first.
    families
        Harmonics and sidebands that one fault explains, the strongest first; empty where speed
        or bearing are not known.
    physics
        The verdict that needs no training, where speed and bearing are known.
    agreement
        Agreement of the diagnosis with it.
    statistics
        Medians over windows.
    ratios
        The same over those of the training part's healthy windows, where those are known.
    rate_check
        Whether the sampling rate fits the shaft speed.
    missing
        What is not known, and how to add it; also which parts the lines can't tell apart.
    """

    channel: str
    seconds: float
    peaks: tuple[EnvelopePeak, ...]
    families: tuple[FaultFamily, ...]
    physics: PhysicsVerdict | None
    statistics: WindowStatistics
    ratios: HealthyRatios | None
    rate_check: RateCheck
    missing: tuple[str, ...]
    agreement: Agreement = "unknown"

    @property
    def matched(self) -> FaultFamily | None:
        """The family of fault lines that explains most, or None where there is none."""
        return self.families[0] if self.families else None

    def compared_with(self, label: str, healthy: Collection[str] = ()) -> "Evidence":
        """Return the evidence with its agreement with a diagnosis filled in."""
        return replace(self, agreement=compare(part_of(label, healthy), self.physics))


@dataclass(frozen=True, slots=True)
class Machine:
    """Facts of the machine during a recording.

    Parameters
    ----------
    fs
        Sampling rate in Hz.
    rpm
        Shaft speed, or None.
    bearing
        The bearing, or None.
    """

    fs: float
    rpm: float | None = None
    bearing: KnownBearing | None = None


def gather(
    signal: NDArray[np.floating],
    channels: Sequence[str],
    machine: Machine,
    statistics: Sequence[WindowStatistics],
    *,
    healthy: HealthyReference | None = None,
) -> Evidence:
    """Gather the evidence of a recording from all of its channels.

    Parameters
    ----------
    signal
        ``(channels, samples)``, as recorded; none is constant. Of a long recording the first
        4,194,304 samples are enough.
    channels
        Their names.
    machine
        What is known beside it.
    statistics
        Statistics of each channel, over windows at the model's rate.
    healthy
        What they are compared with.
    """
    each = [
        _channel(row, name, machine, values, healthy)
        for row, name, values in zip(signal, channels, statistics, strict=True)
    ]
    return max(each, key=_strength)


def _strength(evidence: Evidence) -> tuple[float, float]:
    score = evidence.physics.score if evidence.physics else 0.0
    return score, max((peak.prominence for peak in evidence.peaks), default=0.0)


def _channel(
    x: NDArray[np.floating],
    name: str,
    machine: Machine,
    statistics: WindowStatistics,
    healthy: HealthyReference | None,
) -> Evidence:
    fs, rpm, bearing = machine.fs, machine.rpm, machine.bearing
    short = too_short(x.size, fs, rpm)
    spectra = None if short else measure_envelopes(x, fs, rpm=rpm, bearing=bearing)
    return Evidence(
        channel=name,
        seconds=x.size / fs,
        peaks=tuple(find_peaks(spectra, bearing, count=PEAKS)) if spectra else (),
        families=_families(spectra, bearing),
        physics=physics_verdict(x, fs, rpm, bearing) if spectra and rpm and bearing else None,
        statistics=statistics,
        ratios=healthy.ratios(name, statistics) if healthy else None,
        rate_check=_check(x, fs, rpm),
        missing=_missing(machine, short, healthy),
    )


def _families(
    spectra: EnvelopeSpectra | None, bearing: KnownBearing | None
) -> tuple[FaultFamily, ...]:
    if spectra is None or spectra.shaft_rate is None or bearing is None:
        return ()
    return tuple(fault_families(spectra, bearing))


def _check(x: NDArray[np.floating], fs: float, rpm: float | None) -> RateCheck:
    if rpm is None:
        return RateCheck("undecided", None, "the shaft speed is not known")
    return check_rate(x, fs, rpm)


def _missing(
    machine: Machine, short: str | None, healthy: HealthyReference | None
) -> tuple[str, ...]:
    missing = []
    if short:
        missing.append(f"envelope lines: the recording is too short ({short}); record longer")
    if machine.rpm is None:
        missing.append(
            "orders, fault lines and the verdict of physics: the shaft speed is not known; give "
            "it with --rpm, or in a manifest"
        )
    if machine.bearing is None:
        missing.append(
            "fault lines and the verdict of physics: the bearing is not known; name it, or its "
            "geometry, with --bearing"
        )
    elif ambiguous := ambiguity(machine.bearing, SLIP):
        missing.append(ambiguous)
    if healthy is None:
        missing.append(
            "comparison with healthy windows: the model keeps none; train it again with a healthy "
            "class in data.healthy"
        )
    return tuple(missing)
