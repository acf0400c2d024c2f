"""Read a recording for a model: open, check, resample, cut into windows.

A long recording is read piece by piece: the memory it takes does not grow with its length.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faultdiag.arrays import Floats
from faultdiag.datasets.facts import (
    Facts,
    Statement,
    choose_channels,
    resolve_facts,
    stated_bearing,
)
from faultdiag.documents import Document
from faultdiag.errors import FaultdiagError, counted
from faultdiag.evidence.details import DetailRequest, RecordingDetails, measure_details
from faultdiag.evidence.gather import MOST_SAMPLES, Evidence, Machine, gather
from faultdiag.features.extract import HealthyReference, statistics_of_windows, summarise
from faultdiag.novelty import Novelty, RecordingNovelty
from faultdiag.prediction.events import End, Failure, Header, NoveltyScore, ReadEvent, Windows
from faultdiag.readers.base import Reader, channels_of
from faultdiag.readers.read import open_reader, reader_errors
from faultdiag.readers.source import RecordingSource, unreadable
from faultdiag.signal.bearings import KnownBearing, get_bearing
from faultdiag.signal.kinds import oddity
from faultdiag.signal.recording import Recording, constant, not_finite, require_positive
from faultdiag.signal.resampling import BLOCK, Resampler, mean_of, resampling_ratio

# Numbers of a recording in memory at once: 16 MB. Longer ones are read twice, first to check
# them; a recording of a minute at 48 kHz is read once.
HELD = 2**22
# Numbers of a piece at the model's rate.
PIECE = 2**20

ReadSamples = Callable[[int, int], NDArray[np.float32]]
"""From first sample and stop to the samples, ``(channels, stop - first)``."""


# Samples that decide whether a channel is a vibration at its rate.
_KIND_SAMPLES = 2**14


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A file to diagnose, and what the user states about it.

    Parameters
    ----------
    path
        The recording.
    channel
        Channel to read, or several separated by commas; by default the model's own.
    sampling_rate
        Hz, for a file that doesn't state it and that no catalogue knows.
    rpm
        Shaft speed, likewise.
    bearing
        A name or a geometry that `get_bearing` takes; it wins over what the file states.
    override_rate
        Whether the user's rate and speed win over a file or a catalogue that contradicts them.
    rate_place, rpm_place
        Where the user stated rate and speed, for messages.
    time
        Time of the recording; it wins over that in the file.
    unknown_bearing
        A manifest's entry for the bearing that is neither a name nor a geometry, and its place.
    """

    path: Path
    channel: str | None = None
    sampling_rate: float | None = None
    rpm: float | None = None
    bearing: str | None = None
    override_rate: bool = False
    rate_place: str = "--sampling-rate"
    rpm_place: str = "--rpm"
    time: datetime | None = None
    unknown_bearing: str | None = None


@dataclass(frozen=True, slots=True)
class EvidenceRequest:
    """Settings of the evidence to gather.

    Parameters
    ----------
    healthy
        Statistics of the model's healthy training windows, if stored.
    details
        Settings of the details of a report, if these are needed too.
    """

    healthy: HealthyReference | None = None
    details: DetailRequest | None = None


@dataclass(frozen=True, slots=True)
class ModelInput:
    """The form in which a model takes recordings, and what else to read from them.

    Parameters
    ----------
    channels, sampling_rate, length
        Names of its channels, its rate in Hz, and the samples of one window.
    needs_speed, needs_bearing
        Whether it needs the shaft speed, and the fault orders of the bearing.
    novelty
        The model's novelty detector, if it has one.
    evidence
        Settings of the evidence, if it is to be gathered.
    recorded_at
        Sampling rate in Hz that the training config stated for recordings without one.
    """

    channels: tuple[str, ...]
    sampling_rate: float
    length: int
    needs_speed: bool
    novelty: Novelty | None = None
    evidence: EvidenceRequest | None = None
    recorded_at: float | None = None
    needs_bearing: bool = False

    @property
    def looks_for_bearing(self) -> bool:
        """Whether the bearing of a recording matters, to the model or for evidence."""
        return self.needs_bearing or self.evidence is not None


@dataclass(frozen=True, slots=True)
class _Samples:
    """The samples of a recording, read on demand, and its facts."""

    read: ReadSamples
    count: int
    path: Path
    channels: tuple[str, ...]
    sampling_rate: float
    sampling_rate_source: str
    rpm: float | None
    bearing: KnownBearing | None
    warnings: tuple[str, ...] = ()
    time: datetime | None = None
    unknown_bearing: tuple[str, ...] = ()


def read_events(
    request: ReadRequest, model: ModelInput, limit: float | None = None
) -> Iterator[ReadEvent]:
    """Read a file: its header, windows piece by piece, novelty, end; or its failure and end.

    Parameters
    ----------
    limit
        Seconds that may pass without anything read; None is no limit.
    """
    events = _read_file(request, model)
    try:
        while True:
            with reader_errors(request.path, limit):
                event = next(events, None)
            if event is None:
                break
            yield event
    except FaultdiagError as error:
        yield Failure(one_line(error))
    yield End()


def recording_events(recording: Recording, model: ModelInput) -> Iterator[ReadEvent]:
    """Yield the same events for a recording that was read already; errors are raised.

    Raises
    ------
    FaultdiagError
        If the recording lacks the model's channels, one of them is constant or not finite, it
        is too short, it has no sampling rate, or the model needs a speed and it has none.
    """
    recording = select_channels(recording, model.channels)
    if (rate := recording.sampling_rate) is None:
        raise FaultdiagError(
            f"{recording.source} carries no sampling rate; give it with --sampling-rate "
            f"(the model works at {model.sampling_rate:g} Hz)"
        )
    read = _from_memory(recording.signal)
    named = recording.facts.get("bearing") if model.looks_for_bearing else None
    known = (recording.source, recording.channels, rate, "file", recording.rpm)
    bearing = get_bearing(named) if named else None
    yield from _cut(_Samples(read, recording.samples, *known, bearing), model)
    yield End()


def file_events(request: ReadRequest, model: ModelInput) -> Iterator[ReadEvent]:
    """Yield the events of a file as `read_events` does; errors are raised.

    Raises
    ------
    FaultdiagError
        If the file can't be read, or as for `recording_events`. Most of it is known before the
        first windows come.
    """
    yield from _read_file(request, model)
    yield End()


def _read_file(request: ReadRequest, model: ModelInput) -> Iterator[ReadEvent]:
    try:
        reader = open_reader(request.path)
        source = _open_channels(request, reader, model.channels)
        facts = _facts(request, source, reader, model)
        if model.needs_bearing and facts.rate_source in {None, "assumed"}:
            raise FaultdiagError(
                f"{request.path}: nothing states its sampling rate, and the model looks for fault "
                "frequencies, which are wrong at another rate; give it with --sampling-rate"
            )
        rate, rpm = facts.sampling_rate or model.sampling_rate, facts.rpm
        looked_for = model.looks_for_bearing or model.evidence
        bearing = find_bearing(request, reader, rpm, facts.catalogue) if looked_for else None
    except OSError as error:
        raise unreadable(request.path, error) from error
    read = _sample_reader(source, rate, rpm)
    rate_source = facts.rate_source or "assumed"
    known = (source.samples, source.path, source.channels, rate, rate_source, rpm, bearing)
    # A recording that is known by its name alone is marked so in ``sampling_rate_source``.
    time = request.time or source.time
    unknown = _unknown_bearing(request, bearing) if looked_for else ()
    yield from _cut(_Samples(read, *known, facts.overridden, time, unknown), model)


def one_line(error: FaultdiagError) -> str:
    """Return the message of an error on one line."""
    return " ".join(str(error).split())


def assumed_rate_note(recordings: int, rate: float, *, result: str) -> str:
    """Return the warning that recordings were read at the model's rate; `result` may be wrong."""
    return (
        f"nothing states the sampling rate of {counted(recordings, 'recording')}; the model's, "
        f"{rate:g} Hz, was assumed: if it is another, the {result} is wrong; give it with "
        "--sampling-rate"
    )


def select_channels(recording: Recording, channels: Sequence[str]) -> Recording:
    """Return the recording with a model's channels: by name, or all where their number is right.

    Raises
    ------
    FaultdiagError
        If they are missing by name and the numbers of channels differ.
    """
    return recording.select(choose_channels(recording.source, recording.channels, channels))


def _from_memory(signal: NDArray[np.float32]) -> ReadSamples:
    return lambda first, stop: signal[:, first:stop]


def _sample_reader(source: RecordingSource, rate: float, rpm: float | None) -> ReadSamples:
    """Read the samples once where they are few, else from the file each time."""
    if source.samples * len(source.channels) > HELD:
        require_positive(source.path, "sampling rate", rate)
        require_positive(source.path, "rpm", rpm)
        return source.read
    recording = Recording(source.read(), source.path, source.channels, rate, rpm)
    return _from_memory(recording.signal)


def _cut(samples: _Samples, model: ModelInput) -> Iterator[ReadEvent]:
    """Resample a recording to the model's rate and cut it into windows, some at a time."""
    mean = check_samples(samples.read, samples.count, samples.path, samples.channels)
    resampler, count = _window_count(samples, model)
    yield Header(
        samples.channels,
        samples.rpm,
        samples.sampling_rate,
        samples.sampling_rate_source,
        count,
        samples.bearing,
        (*samples.warnings, *samples.unknown_bearing, *_oddities(samples)),
        samples.time,
    )
    statistics: list[Floats] = []
    novelty = model.novelty and RecordingNovelty(model.novelty, count)
    for start, stop in _steps(count, resampler, model):
        first, last = resampler.needed(start, stop)
        values = resampler.part(samples.read(first, last), first, mean, start, stop)
        if novelty:
            novelty.add(values.reshape(len(values), -1, model.length))
        if model.evidence:
            apart = values.reshape(len(values), -1, model.length)
            statistics.append(statistics_of_windows(apart))
        yield Windows(values)
    if novelty:
        yield NoveltyScore(novelty.score())
    if model.evidence:
        yield from _evidence(samples, np.concatenate(statistics, axis=1), model.evidence)


def _oddities(samples: _Samples) -> list[str]:
    """Return why channels are probably no vibrations at the recording's rate."""
    rate = None if samples.sampling_rate_source == "assumed" else samples.sampling_rate
    begin = samples.read(0, min(samples.count, _KIND_SAMPLES))
    rows = zip(samples.channels, begin, strict=True)
    return [text for name, row in rows if (text := oddity(name, row, rate))]


def _evidence(
    samples: _Samples, statistics: Floats, wanted: EvidenceRequest
) -> Iterator[Evidence | RecordingDetails]:
    """Gather the evidence from the samples as recorded; statistics ``(channels, windows, 3)``."""
    signal = samples.read(0, min(samples.count, MOST_SAMPLES // len(samples.channels)))
    machine = Machine(samples.sampling_rate, samples.rpm, samples.bearing)
    summaries = [summarise(values) for values in statistics]
    evidence = gather(signal, samples.channels, machine, summaries, healthy=wanted.healthy)
    yield evidence
    if wanted.details is not None:
        x = signal[samples.channels.index(evidence.channel)]
        yield measure_details(x, evidence.channel, machine, evidence, wanted.details)


_NO_SPEED = (
    "the model sees shaft orders and needs the shaft speed; give --rpm, or a manifest's column "
    "rpm: a tachometer or a stroboscope measures it to the 0.5 % that fault orders need, a "
    "nameplate states it to a few percent only"
)
_NO_BEARING = (
    "the model sees the fault orders of the bearing and needs its geometry; give --bearing, or a "
    "manifest's column bearing, with a name that `faultdiag bearings` lists, or "
    "balls,ball_diameter,pitch_diameter[,angle]: the designation is stamped on the bearing's ring "
    "and listed in the machine's manual"
)


def _require_facts(samples: _Samples, model: ModelInput) -> None:
    lacking = [
        reason
        for needed, value, reason in (
            (model.needs_speed, samples.rpm, _NO_SPEED),
            (model.needs_bearing, samples.bearing, _NO_BEARING),
        )
        if needed and value is None
    ]
    if lacking:
        reasons = [*lacking, *samples.unknown_bearing]
        raise FaultdiagError(f"{samples.path}: {'; '.join(reasons)}")


def _window_count(samples: _Samples, model: ModelInput) -> tuple[Resampler, int]:
    path = samples.path
    _require_facts(samples, model)
    try:
        ratio = resampling_ratio(samples.sampling_rate, model.sampling_rate)
    except FaultdiagError as error:
        raise FaultdiagError(f"{path}: {error}") from error
    resampler = Resampler(*ratio, samples.count)
    count = resampler.resampled // model.length
    if count == 0:
        raise FaultdiagError(
            f"{path} has {resampler.resampled} samples at {model.sampling_rate:g} Hz, "
            f"the model needs {model.length} for one window; record longer"
        )
    return resampler, count


def _steps(count: int, resampler: Resampler, model: ModelInput) -> Iterator[tuple[int, int]]:
    """Yield first sample and stop of each piece, at the model's rate."""
    # As many windows at a time as make neither the samples read nor those resampled too many.
    numbers = min(PIECE, HELD * resampler.up // resampler.down) // len(model.channels)
    step = max(numbers // model.length, 1) * model.length
    end = count * model.length
    for start in range(0, end, step):
        yield start, min(start + step, end)


def _open_channels(
    request: ReadRequest, reader: Reader, channels: tuple[str, ...]
) -> RecordingSource:
    """Open the channels that the user names, else those that take the parts of the model's."""
    stated = [name.strip() for name in (request.channel or "").split(",") if name.strip()]
    variables = reader.variables()
    names = [variable.name for variable in variables]
    own = channels_of(variables)
    return reader.source(choose_channels(request.path, own, channels, aliases=names, stated=stated))


def _facts(
    request: ReadRequest, source: RecordingSource, reader: Reader, model: ModelInput
) -> Facts:
    """Return the sampling rate of a recording and its speed, and who states them."""
    return resolve_facts(
        request.path,
        file=Statement(source.sampling_rate, source.rpm),
        user=Statement(request.sampling_rate, request.rpm, request.rate_place, request.rpm_place),
        variables=reader.variables,
        recorded_at=model.recorded_at,
        assumed=model.sampling_rate,
        needs_rpm=model.needs_speed or model.looks_for_bearing,
        needs_catalogue=model.looks_for_bearing,
        override=request.override_rate,
    )


def find_bearing(
    request: ReadRequest, reader: Reader, rpm: float | None, facts: Document
) -> KnownBearing | None:
    """Return the bearing that the user names, that the file states, or that of the catalogue."""
    if request.bearing:
        return get_bearing(request.bearing)
    stated = stated_bearing(request.path, reader.variables(), rpm)
    listed = facts.get("bearing")
    return stated or (get_bearing(listed) if listed else None)


def _unknown_bearing(request: ReadRequest, bearing: KnownBearing | None) -> tuple[str, ...]:
    """Return a warning of the bearing that a manifest names and no catalogue has, if it does."""
    if request.unknown_bearing is None:
        return ()
    used = f"; {bearing.name} is taken, by the file or the catalogue" if bearing else ""
    return (f"{request.unknown_bearing} is no bearing that `faultdiag bearings` lists{used}",)


def check_samples(
    read: ReadSamples, count: int, source: Path, channels: Sequence[str]
) -> NDArray[np.float32]:
    """Read a recording through once and return the mean of each channel, ``(channels, 1)``.

    Raises
    ------
    FaultdiagError
        If samples are not finite, or all samples of a channel are equal.
    """
    low = np.full((len(channels), 1), np.inf, np.float32)
    high = -low

    def block_at(start: int) -> NDArray[np.float32]:
        nonlocal low, high
        block = read(start, min(start + BLOCK, count))
        low = np.minimum(low, block.min(axis=-1, keepdims=True))
        high = np.maximum(high, block.max(axis=-1, keepdims=True))
        return block

    with np.errstate(invalid="ignore"):
        mean = mean_of(block_at(start) for start in range(0, count, BLOCK))
    if not np.isfinite(mean).all():
        raise _not_finite(read, count, source, channels)
    for name, least, most in zip(channels, low[:, 0], high[:, 0], strict=True):
        if least == most:
            raise constant(source, name, count, float(least))
    return mean


def _not_finite(
    read: ReadSamples, count: int, source: Path, channels: Sequence[str]
) -> FaultdiagError:
    bad, first = 0, [-1] * len(channels)
    for start in range(0, count, BLOCK):
        wrong = ~np.isfinite(read(start, min(start + BLOCK, count)))
        bad += int(wrong.sum())
        for i, row in enumerate(wrong):
            if first[i] < 0 and row.any():
                first[i] = start + int(row.argmax())
    i = next(i for i, sample in enumerate(first) if sample >= 0)
    return not_finite(source, bad, count * len(channels), first[i], channels[i])
