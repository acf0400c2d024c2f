"""Inspect a recording: variables, rate, speed, statistics, envelope peaks."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from faultdiag.config.schema import Config
from faultdiag.datasets.base import Entry
from faultdiag.datasets.facts import Facts, Statement, cage_warning, resolve_facts, stated_bearing
from faultdiag.datasets.load import entry_facts, open_entry
from faultdiag.documents import Document, Json
from faultdiag.errors import FaultdiagError, counted
from faultdiag.evidence.peaks import EnvelopePeak, KnownLine, envelope_peaks, known_lines, too_short
from faultdiag.evidence.rate_check import check_channels
from faultdiag.features.orders import SLIP
from faultdiag.preparing.recordings import choose_recordings
from faultdiag.readers.base import Variable, channel_unit, channels_of
from faultdiag.readers.read import list_variables, open_recording, reader_errors
from faultdiag.readers.source import RecordingSource
from faultdiag.signal.bearings import KnownBearing, StatedBearing, ambiguity, get_bearing
from faultdiag.signal.dsp import clipped_samples, quantisation_step, statistics
from faultdiag.signal.kinds import oddity
from faultdiag.signal.recording import Recording

# Two channels are copies of one signal where nothing but rounding is left between them.
COPY_CORRELATION = 0.999999
PEAKS = 8
# By its name; None where it is not finite.
Statistics: TypeAlias = dict[str, float | int | None]
# Signals of one file that are shown one by one.
MOST_SIGNALS = 16
# Samples that decide whether a channel is a vibration.
KIND_SAMPLES = 2**17
# Most numbers of a recording that are examined: 8 MB, 44 s of a channel at 48 kHz.
MOST_NUMBERS = 2**21
LEAST_SAMPLES = 2**16


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
    samples
        Samples of the file; the recording may be a part of it.
    """

    recording: Recording
    variables: list[Variable]
    facts: Facts
    bearing: KnownBearing | None
    warnings: list[str]
    samples: int

    @property
    def sampling_rate(self) -> float | None:
        """Hz, or None where nothing states it."""
        return self.facts.sampling_rate

    @property
    def rpm(self) -> float | None:
        """Shaft speed, or None where nothing states it."""
        return self.facts.rpm


@dataclass(frozen=True, slots=True)
class ListedRecording:
    """A recording as a config lists it: its entry, its class and the channels to read."""

    entry: Entry
    label: str
    channels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class InspectOptions:
    """What the user states about a recording, and how much of it to read.

    Parameters
    ----------
    sampling_rate
        Hz; wins over file and catalogue, and is the rate that `rate_check` judges.
    channel
        One channel; None for all.
    bearing
        A name or a geometry that `get_bearing` takes; None for that of the file, or else of the
        catalogue.
    rpm
        Shaft speed; wins over file and catalogue.
    full
        Read all samples. Otherwise a long recording is judged by two million numbers from its
        middle, and a warning says so.
    listed
        What a config says of the file, if one lists it.
    """

    sampling_rate: float | None = None
    channel: str | None = None
    bearing: str | None = None
    rpm: float | None = None
    full: bool = False
    listed: ListedRecording | None = None


NOTHING_STATED = InspectOptions()


def open_subject(path: str | os.PathLike[str], options: InspectOptions = NOTHING_STATED) -> Subject:
    """Read a recording and gather what is known of it.

    Raises
    ------
    FaultdiagError
        If the file can't be read, lacks the channel, the bearing is not known, or a rate or speed
        is not positive.
    """
    path, listed = Path(path), options.listed
    user = Statement(options.sampling_rate, options.rpm)
    _require_positive("sampling rate", user.sampling_rate, "Hz")
    _require_positive("shaft speed", user.rpm, "rpm")
    given = get_bearing(options.bearing) if options.bearing else None
    variables = list_variables(path)
    source = _source(path, options.channel, listed)
    recording = _stretch(source, full=options.full)
    facts = _facts(recording, variables, user, listed)
    stated = stated_bearing(path, variables, recording.rpm or facts.rpm)
    named = facts.catalogue.get("bearing")
    known = given or stated or _known(named, strict=listed is None)
    warnings = [*_sampled(source, recording), *facts.warnings]
    if isinstance(known, StatedBearing) and (warning := cage_warning(known)):
        warnings.append(warning)
    return Subject(recording, variables, facts, known, warnings, source.samples)


def _require_positive(name: str, value: float | None, unit: str) -> None:
    if value is not None and not 0 < value < np.inf:
        raise FaultdiagError(f"the {name} given is {value:g} {unit}; give a positive number")


def _source(path: Path, channel: str | None, listed: ListedRecording | None) -> RecordingSource:
    """Open a recording with the channels that the user names, else those that the config lists."""
    if listed is None or channel is not None:
        return open_recording(path, channel=channel)
    return open_entry(listed.entry, listed.channels)


def _stretch(source: RecordingSource, *, full: bool) -> Recording:
    """Return a recording, or of a long one a stretch in its middle."""
    most = max(MOST_NUMBERS // len(source.channels), LEAST_SAMPLES)
    start, stop = 0, source.samples
    if not full and source.samples > most:
        start = (source.samples - most) // 2
        stop = start + most
    signal = source.read(start, stop)
    return Recording(signal, source.path, source.channels, source.sampling_rate, source.rpm)


def _sampled(source: RecordingSource, recording: Recording) -> list[str]:
    if recording.samples == source.samples:
        return []
    return [
        f"{recording.samples} of the {source.samples} samples were looked at, from the middle of "
        "the file; --full looks at all"
    ]


def _facts(
    recording: Recording, variables: list[Variable], user: Statement, listed: ListedRecording | None
) -> Facts:
    """Return rate and speed: what the user states first, then what the config or others do."""
    file = Statement(recording.sampling_rate, recording.rpm)
    if listed is None:
        return resolve_facts(
            recording.source,
            file=file,
            user=user,
            variables=lambda: variables,
            needs_catalogue=True,
            override=True,
        )
    facts = entry_facts(listed.entry, recording)
    rate = (user.sampling_rate, "argument") if user.sampling_rate else None
    rpm = (user.rpm, "argument") if user.rpm else None
    return Facts(
        *(rate or (facts.sampling_rate, facts.rate_source)),
        *(rpm or (facts.rpm, facts.rpm_source)),
        {**facts.catalogue, **listed.entry.facts},
        facts.warnings,
    )


def _known(name: object, *, strict: bool) -> KnownBearing | None:
    """Return a bearing by its name; a config may name one that no catalogue has."""
    try:
        return get_bearing(str(name)) if name else None
    except FaultdiagError:
        if strict:
            raise
        return None


def inspect_file(
    path: str | os.PathLike[str],
    *,
    sampling_rate: float | None = None,
    channel: str | None = None,
    bearing: str | None = None,
    rpm: float | None = None,
    full: bool = False,
    listed: ListedRecording | None = None,
) -> Json:
    """Return what a file holds as plain values, ready for JSON.

    Parameters
    ----------
    path
        A recording.
    sampling_rate, channel, bearing, rpm, full, listed
        See `InspectOptions`.

    Returns
    -------
    Json
        ``path``; ``variables`` (name, shape, kind, channel); ``channels``; ``units`` by channel,
        None where its name states none in brackets; ``sampling_rate`` in Hz and
        ``sampling_rate_source``, ``rpm`` and ``rpm_source`` (in the words of
        `faultdiag.datasets.facts`, or None); ``samples``; ``statistics`` by channel;
        ``rate_check`` (verdict, suggested, reason); ``bearing`` (name, orders) or None;
        ``envelope_peaks``, each channel's strongest first, with the ``lines`` that lie there: name,
        order, distance from it and tolerance in shaft rates; ``warnings``. With `listed` also
        ``label`` and ``facts``.

    Raises
    ------
    FaultdiagError
        As `open_subject`.
    """
    options = InspectOptions(
        sampling_rate=sampling_rate,
        channel=channel,
        bearing=bearing,
        rpm=rpm,
        full=full,
        listed=listed,
    )
    subject = open_subject(path, options)
    recording, known = subject.recording, subject.bearing
    columns = _statistics(recording)
    by_config = {} if listed is None else {"label": listed.label, "facts": {**listed.entry.facts}}
    return {
        "path": str(path),
        "variables": [{**asdict(v), "shape": list(v.shape)} for v in subject.variables],
        "channels": list(recording.channels),
        "units": {name: channel_unit(name) for name in recording.channels},
        "sampling_rate": subject.sampling_rate,
        "sampling_rate_source": subject.facts.rate_source,
        "rpm": subject.rpm,
        "rpm_source": subject.facts.rpm_source,
        "samples": subject.samples,
        "statistics": columns,
        "rate_check": rate_verdict(subject),
        "bearing": {"name": known.name, "orders": asdict(known.orders)} if known else None,
        "envelope_peaks": _peaks(subject),
        "warnings": _warnings(subject, columns),
        **by_config,
    }


def _warnings(subject: Subject, columns: Mapping[str, Statistics]) -> list[str]:
    return [
        *subject.warnings,
        *_signal_warnings(subject.recording, subject.sampling_rate, columns),
        *_peak_warnings(subject),
    ]


def inspect_files(
    jobs: Sequence[tuple[Path, ListedRecording | None]], **options: Any
) -> tuple[list[Json], list[str]]:
    """Inspect several files: what was found of those that can be read, and why others can't.

    Parameters
    ----------
    jobs
        Each file, and what a config says of it.
    options
        As for `inspect_file`.
    """
    results, problems = [], []
    for path, listed in jobs:
        try:
            with reader_errors(path):
                results.append(inspect_file(path, listed=listed, **options))
        except FaultdiagError as error:
            problems.append(str(error))
    return results, problems


def listed_recordings(config: Config) -> list[ListedRecording]:
    """Return the recordings that a config selects, each with its class.

    Raises
    ------
    FaultdiagError
        As `choose_recordings`, or if they are windows that were cut before.
    """
    chosen = choose_recordings(config)
    if any(entry.rows is not None for entry in chosen.entries):
        raise FaultdiagError(
            f"{config.data.root} holds windows that were cut before, and no recording to inspect"
        )
    rows = zip(chosen.entries, chosen.labels, chosen.channels, strict=True)
    return [ListedRecording(*row) for row in rows]


def inspect_signals(path: Path, **options: Any) -> Iterator[Json]:
    """Yield what a file holds; of one with several signals, what each of them is.

    Parameters
    ----------
    options
        As for `inspect_file`.

    Raises
    ------
    FaultdiagError
        If the file can't be read.
    """
    try:
        yield inspect_file(path, **options)
    except FaultdiagError:
        names = channels_of(list_variables(path))
        if options.get("channel") is not None or options.get("listed") or len(names) < 2:
            raise
        for name in names[:MOST_SIGNALS]:
            yield _signal(path, {**options, "channel": name})


def _signal(path: Path, options: Document) -> Json:
    try:
        return inspect_file(path, **options)
    except FaultdiagError as error:
        return {"path": str(path), "error": f"channel {options['channel']}: {error}"}


def _statistics(recording: Recording) -> dict[str, Statistics]:
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


def rate_verdict(subject: Subject) -> Json:
    """Return verdict, suggested rate and reason of the check of the sampling rate."""
    rate, rpm, recording = subject.sampling_rate, subject.rpm, subject.recording
    if rate is None or rpm is None:
        missing = [name for name, v in (("sampling rate", rate), ("shaft speed", rpm)) if v is None]
        reason = f"the {' and the '.join(missing)} must be known"
        return {"verdict": "undecided", "suggested": None, "reason": reason}
    check = check_channels(recording.signal, recording.channels, rate, rpm)
    return {"verdict": check.verdict, "suggested": check.suggested, "reason": check.reason}


def _peaks(subject: Subject) -> list[Json]:
    rate, rpm, recording = subject.sampling_rate, subject.rpm, subject.recording
    if rate is None or too_short(recording.samples, rate, rpm):
        return []
    lines = {line.name: line for line in known_lines(subject.bearing)}
    return [
        {
            "channel": name,
            **asdict(peak),
            "band": list(peak.band),
            "matches": list(peak.matches),
            "lines": _lines(peak, lines),
        }
        for name, row in zip(recording.channels, recording.signal, strict=True)
        for peak in envelope_peaks(row, rate, rpm=rpm, bearing=subject.bearing, count=PEAKS)
    ]


def _lines(peak: EnvelopePeak, lines: Mapping[str, KnownLine]) -> list[Json]:
    """Return how far a peak is from the lines that it may be, in shaft rates."""
    if peak.order is None:
        return []
    return [
        {
            "name": name,
            "order": lines[name].order,
            "distance": peak.order - lines[name].order,
            "tolerance": lines[name].tolerance,
        }
        for name in peak.matches
        if name in lines
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


def _signal_warnings(
    recording: Recording, rate: float | None, columns: Mapping[str, Statistics]
) -> list[str]:
    warnings = []
    for i, name in enumerate(recording.channels):
        mean = columns[name]["mean"] or 0.0
        deviation = columns[name]["standard_deviation"] or 0.0
        if deviation == 0:
            warnings.append(f"channel {name} is constant ({mean:g}); is the sensor connected?")
            continue
        if text := oddity(name, recording.signal[i, :KIND_SAMPLES], rate):
            warnings.append(text)
        if abs(mean) > deviation:
            warnings.append(
                f"channel {name} has an offset of {mean:.3g}, "
                f"{abs(mean) / deviation:.1f} times its standard deviation"
            )
        if clipped := int(columns[name]["clipped_samples"] or 0):
            warnings.append(
                f"channel {name} stands at its extreme values in {counted(clipped, 'sample')}; "
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
