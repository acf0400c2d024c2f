"""Inspect a recording: variables, rate, speed, statistics, envelope peaks."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from faultdiag.datasets.resolve import Facts, Statement, resolve_facts
from faultdiag.datasets.stated_bearing import cage_warning, stated_bearing
from faultdiag.errors import FaultdiagError
from faultdiag.evidence.peaks import envelope_peaks, too_short
from faultdiag.evidence.rate_check import check_channels
from faultdiag.features.orders import SLIP
from faultdiag.readers.base import Variable, channel_unit
from faultdiag.readers.read import list_variables, read_recording, reader_errors
from faultdiag.signal.bearings import KnownBearing, StatedBearing, ambiguity, get_bearing
from faultdiag.signal.dsp import clipped_samples, quantisation_step, statistics
from faultdiag.signal.kinds import signal_kind
from faultdiag.signal.recording import Recording

# Two channels are copies of one signal where nothing but rounding is left between them.
COPY_CORRELATION = 0.999999
PEAKS = 8
# Samples that decide whether a channel is a vibration.
KIND_SAMPLES = 2**17


@dataclass(frozen=True, slots=True)
class Subject:
    """A recording with what is known of it, and from where.

    Parameters
    ----------
    recording
        As read; its own rate and speed are those of the file.
    variables
        What the file holds.
    facts
        Sampling rate and shaft speed, and who states them; what the user states wins.
    bearing
        The one given, that which the file states, or that of the catalogue.
    warnings
        What is odd about these.
    """

    recording: Recording
    variables: list[Variable]
    facts: Facts
    bearing: KnownBearing | None
    warnings: list[str]

    @property
    def sampling_rate(self) -> float | None:
        """Hz, or None where nothing states it."""
        return self.facts.sampling_rate

    @property
    def rpm(self) -> float | None:
        """Shaft speed, or None where nothing states it."""
        return self.facts.rpm


def open_subject(
    path: str | os.PathLike[str],
    *,
    sampling_rate: float | None = None,
    channel: str | None = None,
    bearing: str | None = None,
    rpm: float | None = None,
) -> Subject:
    """Read a recording and gather what is known of it; see `inspect_file`."""
    path = Path(path)
    for name, value, unit in (("sampling rate", sampling_rate, "Hz"), ("shaft speed", rpm, "rpm")):
        if value is not None and not 0 < value < np.inf:
            raise FaultdiagError(f"the {name} given is {value:g} {unit}; give a positive number")
    given = get_bearing(bearing) if bearing else None
    variables = list_variables(path)
    recording = read_recording(path, channel=channel)
    facts = resolve_facts(
        path,
        file=Statement(recording.sampling_rate, recording.rpm),
        user=Statement(sampling_rate, rpm),
        variables=lambda: variables,
        needs_catalogue=True,
        override=True,
    )
    stated = stated_bearing(path, variables, recording.rpm or facts.rpm)
    listed: str | None = facts.catalogue.get("bearing")
    known = given or stated or (get_bearing(listed) if listed else None)
    warnings = list(facts.warnings)
    if isinstance(known, StatedBearing) and (warning := cage_warning(known)):
        warnings.append(warning)
    return Subject(recording, variables, facts, known, warnings)


def inspect_file(
    path: str | os.PathLike[str],
    *,
    sampling_rate: float | None = None,
    channel: str | None = None,
    bearing: str | None = None,
    rpm: float | None = None,
) -> dict[str, Any]:
    """Return what a file holds as plain values, ready for JSON.

    Parameters
    ----------
    path
        A recording.
    sampling_rate
        Hz; wins over what the file or the catalogue says, and is what `rate_check` judges.
    channel
        One channel; all of them where None.
    bearing
        A name or a geometry that `get_bearing` takes; where None, what the file states of its
        own, or the catalogue's.
    rpm
        Shaft speed; wins over what the file or the catalogue says.

    Returns
    -------
    dict[str, Any]
        ``path``; ``variables`` (name, shape, kind, channel); ``channels``; ``units`` by channel,
        None where its name states none in brackets; ``sampling_rate`` in Hz and
        ``sampling_rate_source``, ``rpm`` and ``rpm_source`` (in the words of
        `faultdiag.datasets.resolve`, or None); ``samples``; ``statistics`` by channel;
        ``rate_check`` (verdict, suggested, reason); ``bearing`` (name, orders) or None;
        ``envelope_peaks``, each channel's strongest first; ``warnings``.

    Raises
    ------
    FaultdiagError
        If the file can't be read, lacks the channel, the bearing is not known, or a rate or speed
        is not positive.
    """
    subject = open_subject(
        path, sampling_rate=sampling_rate, channel=channel, bearing=bearing, rpm=rpm
    )
    recording, known = subject.recording, subject.bearing
    return {
        "path": str(path),
        "variables": [{**asdict(v), "shape": list(v.shape)} for v in subject.variables],
        "channels": list(recording.channels),
        "units": {name: channel_unit(name) for name in recording.channels},
        "sampling_rate": subject.sampling_rate,
        "sampling_rate_source": subject.facts.rate_source,
        "rpm": subject.rpm,
        "rpm_source": subject.facts.rpm_source,
        "samples": recording.samples,
        "statistics": _statistics(recording),
        "rate_check": rate_verdict(subject),
        "bearing": {"name": known.name, "orders": asdict(known.orders)} if known else None,
        "envelope_peaks": _peaks(subject),
        "warnings": [*subject.warnings, *_signal_warnings(recording), *_peak_warnings(subject)],
    }


def inspect_files(paths: Sequence[Path], **options: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """Inspect several files: what was found of those that can be read, and why others can't.

    Parameters
    ----------
    options
        As for `inspect_file`.
    """
    results, problems = [], []
    for path in paths:
        try:
            with reader_errors(path):
                results.append(inspect_file(path, **options))
        except FaultdiagError as error:
            problems.append(str(error))
    return results, problems


def _statistics(recording: Recording) -> dict[str, dict[str, float | int | None]]:
    values = statistics(recording.signal)
    return {
        name: {
            **{key: _finite(column[i]) for key, column in values.items()},
            "quantisation_step": quantisation_step(recording.signal[i]),
            "clipped_samples": clipped_samples(recording.signal[i]),
        }
        for i, name in enumerate(recording.channels)
    }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def rate_verdict(subject: Subject) -> dict[str, Any]:
    """Return verdict, suggested rate and reason of the check of the sampling rate."""
    rate, rpm, recording = subject.sampling_rate, subject.rpm, subject.recording
    if rate is None or rpm is None:
        missing = [name for name, v in (("sampling rate", rate), ("shaft speed", rpm)) if v is None]
        reason = f"the {' and the '.join(missing)} must be known"
        return {"verdict": "undecided", "suggested": None, "reason": reason}
    check = check_channels(recording.signal, recording.channels, rate, rpm)
    return {"verdict": check.verdict, "suggested": check.suggested, "reason": check.reason}


def _peaks(subject: Subject) -> list[dict[str, Any]]:
    rate, rpm, recording = subject.sampling_rate, subject.rpm, subject.recording
    if rate is None or too_short(recording.samples, rate, rpm):
        return []
    return [
        {"channel": name, **asdict(peak), "band": list(peak.band), "matches": list(peak.matches)}
        for name, row in zip(recording.channels, recording.signal, strict=True)
        for peak in envelope_peaks(row, rate, rpm=rpm, bearing=subject.bearing, count=PEAKS)
    ]


def _peak_warnings(subject: Subject) -> list[str]:
    """Return why envelope peaks, or their cause, are unknown or ambiguous."""
    rate, rpm = subject.sampling_rate, subject.rpm
    if rate is None:
        return ["the sampling rate is not known: no envelope peaks; give it with --sampling-rate"]
    if reason := too_short(subject.recording.samples, rate, rpm):
        return [f"too short for envelope peaks: {reason}"]
    if rpm is None:
        return ["the shaft speed is not known: envelope peaks are in Hz only"]
    if subject.bearing is None:
        return [
            "the bearing is not known: envelope peaks are compared with the shaft rate only; "
            "name it with --bearing"
        ]
    ambiguous = ambiguity(subject.bearing, SLIP)
    return [f"ambiguous: {ambiguous}"] if ambiguous else []


def _signal_warnings(recording: Recording) -> list[str]:
    warnings = []
    columns = statistics(recording.signal)
    for i, name in enumerate(recording.channels):
        mean, deviation = columns["mean"][i], columns["standard_deviation"][i]
        if deviation == 0:
            warnings.append(f"channel {name} is constant ({mean:g}); is the sensor connected?")
            continue
        kind = signal_kind(recording.signal[i, :KIND_SAMPLES])
        if not kind.is_vibration:
            warnings.append(f"channel {name} {kind.reason}: it doesn't look like a vibration")
        if abs(mean) > deviation:
            warnings.append(
                f"channel {name} has an offset of {mean:.3g}, "
                f"{abs(mean) / deviation:.1f} times its standard deviation"
            )
        if clipped := clipped_samples(recording.signal[i]):
            warnings.append(
                f"channel {name} stands at its extreme values in {clipped} samples; "
                "it may have touched full scale"
            )
    return warnings + _copies(recording)


def _copies(recording: Recording) -> list[str]:
    centred = recording.signal - recording.signal.mean(axis=-1, keepdims=True)
    norms = np.linalg.norm(centred, axis=-1)
    warnings = []
    for i, j in combinations(range(len(recording.channels)), 2):
        product = float(np.vdot(centred[i], centred[j]))
        if abs(product) > COPY_CORRELATION * norms[i] * norms[j] > 0:
            first, second = recording.channels[i], recording.channels[j]
            factor = product / float(norms[i]) ** 2
            warnings.append(
                f"channel {second} is {factor:.6f} times channel {first}: no second measurement"
            )
    return warnings
