"""Read recordings for prediction, ahead and in processes of their own.

A long recording is read piece by piece: what is held of it does not grow with its length.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faultdiag.datasets.identify import identify, identify_by_name
from faultdiag.errors import FaultdiagError
from faultdiag.novelty import Novelty, Watched
from faultdiag.prediction.streams import LostError, Stream
from faultdiag.readers.base import Reader
from faultdiag.readers.read import open_reader
from faultdiag.readers.source import RecordingSource, unreadable
from faultdiag.signal.recording import Recording, constant, not_finite, require_positive
from faultdiag.signal.resampling import BLOCK, Resampler, mean_of, resampling_ratio

Read = Callable[[int, int], NDArray[np.float32]]
"""From where to where: the samples, ``(channels, stop - start)``."""


def survey(read: Read, samples: int, source: Path, channels: Sequence[str]) -> NDArray[np.float32]:
    """Give the mean of each channel of a recording, ``(channels, 1)``; it is read through once.

    Raises
    ------
    FaultdiagError
        If samples are not finite, or all samples of a channel are equal.
    """
    low = np.full((len(channels), 1), np.inf, np.float32)
    high = -low

    def watched(start: int) -> NDArray[np.float32]:
        nonlocal low, high
        block = read(start, min(start + BLOCK, samples))
        low = np.minimum(low, block.min(axis=-1, keepdims=True))
        high = np.maximum(high, block.max(axis=-1, keepdims=True))
        return block

    with np.errstate(invalid="ignore"):
        mean = mean_of(watched(start) for start in range(0, samples, BLOCK))
    if not np.isfinite(mean).all():
        _tell_not_finite(read, samples, source, channels)
    for name, least, most in zip(channels, low[:, 0], high[:, 0], strict=True):
        if least == most:
            raise constant(source, name, samples, float(least))
    return mean


def _tell_not_finite(read: Read, samples: int, source: Path, channels: Sequence[str]) -> None:
    bad, first = 0, [-1] * len(channels)
    for start in range(0, samples, BLOCK):
        wrong = ~np.isfinite(read(start, min(start + BLOCK, samples)))
        bad += int(wrong.sum())
        for i, row in enumerate(wrong):
            if first[i] < 0 and row.any():
                first[i] = start + int(row.argmax())
    i = next(i for i, sample in enumerate(first) if sample >= 0)
    raise not_finite(source, bad, samples * len(channels), first[i], channels[i])


# Numbers of a recording that are held at once: 16 MB. Longer ones are read twice, first to see
# whether they are sound; a recording of a minute at 48 kHz is read once.
HELD = 2**22
# Numbers of a piece at the model's rate.
PIECE = 2**20


@dataclass(frozen=True, slots=True)
class Asked:
    """A file to diagnose, and what is said of it.

    Parameters
    ----------
    path
        The recording.
    channel
        Channel to read, or several with commas between; the model's own unless given.
    sampling_rate
        Hz, for a file that doesn't state it and that no catalogue knows.
    rpm
        Shaft speed, likewise.
    """

    path: Path
    channel: str | None = None
    sampling_rate: float | None = None
    rpm: float | None = None


@dataclass(frozen=True, slots=True)
class Needs:
    """What a model takes.

    Parameters
    ----------
    channels
        The names of its channels.
    sampling_rate
        Hz.
    length
        Samples of one window.
    speed
        Whether it needs the shaft speed.
    novelty
        What a recording is held against to say how unlike the training data it is, if anything.
    """

    channels: tuple[str, ...]
    sampling_rate: float
    length: int
    speed: bool
    novelty: Novelty | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """What is known of a recording before its windows come.

    ``recorded_at`` is its own sampling rate in Hz; ``rate_source`` says who states that:
    ``file``, ``catalogue``, ``catalogue, by name``, ``argument`` or ``assumed``. ``windows`` is
    how many there will be.
    """

    channels: tuple[str, ...]
    rpm: float | None
    recorded_at: float
    rate_source: str
    windows: int


@dataclass(frozen=True, slots=True)
class _Recorded:
    """How the samples of a recording are read, and what is known of it."""

    read: Read
    samples: int
    path: Path
    channels: tuple[str, ...]
    rate: float
    said_by: str
    rpm: float | None


Windows = NDArray[np.float32]
"""Windows one after the other, ``(channels, windows x length)``, at the model's rate."""


def read_windows(asked: Asked, needs: Needs) -> Iterator[Opened | Windows | float]:
    """Give what is known of the recording in a file, its windows piece by piece, its novelty.

    Raises
    ------
    FaultdiagError
        If the file can't be read, hasn't the model's channels, one of them is constant or not
        finite, it is too short, or the model needs a speed and nothing says it. That some of
        this is wrong is told before the first piece, as far as it doesn't change meanwhile.
    """
    try:
        reader = open_reader(asked.path)
        source = _source(asked, reader, needs.channels)
        rate, said_by, rpm = _facts(asked, source, reader, needs)
    except OSError as error:
        raise unreadable(asked.path, error) from error
    reach = _reach(source, rate, rpm)
    described = (source.samples, source.path, source.channels, rate, said_by, rpm)
    yield from _pieces(_Recorded(reach, *described), needs)


def try_read(asked: Asked, needs: Needs) -> Iterator[Opened | Windows | float | str]:
    """Give what `read_windows` does; the message of its error, on one line, ends it."""
    try:
        yield from read_windows(asked, needs)
    except FaultdiagError as error:
        yield one_line(error)
    except MemoryError:
        yield f"{asked.path} does not fit into the memory; cut it into shorter recordings"


def windows_of(recording: Recording, needs: Needs) -> Iterator[Opened | Windows | float]:
    """Give what `read_windows` does of a recording that was read already.

    Raises
    ------
    FaultdiagError
        Likewise, and if it carries no sampling rate.
    """
    recording = choose(recording, needs.channels)
    if (rate := recording.sampling_rate) is None:
        raise FaultdiagError(
            f"{recording.source} carries no sampling rate; give it with --sampling-rate "
            f"(the model works at {needs.sampling_rate:g} Hz)"
        )
    described = (recording.source, recording.channels, rate, "file", recording.rpm)
    held = _held(recording.signal)
    yield from _pieces(_Recorded(held, recording.samples, *described), needs)


def one_line(error: FaultdiagError) -> str:
    """Give the message of an error on one line."""
    return " ".join(str(error).split())


def choose(recording: Recording, channels: Sequence[str]) -> Recording:
    """Give the recording with a model's channels: by name, or the only ones there are.

    Raises
    ------
    FaultdiagError
        If they are not there by name and their number differs.
    """
    return recording.select(_chosen(recording.source, recording.channels, channels))


def _chosen(path: Path, found: Sequence[str], channels: Sequence[str]) -> Sequence[str]:
    if set(channels) <= set(found):
        return channels
    if len(found) != len(channels):
        raise FaultdiagError(
            f"{path} has {len(found)} channels ({', '.join(found)}), the model was trained on "
            f"{len(channels)} ({', '.join(channels)}); choose with --channel"
        )
    return found


def _held(signal: NDArray[np.float32]) -> Read:
    return lambda start, stop: signal[:, start:stop]


def _reach(source: RecordingSource, rate: float, rpm: float | None) -> Read:
    """Give how the samples are read: once where they are few, else from the file each time."""
    if source.samples * len(source.channels) > HELD:
        require_positive(source.path, "sampling rate", rate)
        require_positive(source.path, "rpm", rpm)
        return source.read
    return _held(Recording(source.read(), source.path, source.channels, rate, rpm).signal)


def _pieces(recorded: _Recorded, needs: Needs) -> Iterator[Opened | Windows | float]:
    read, path, channels = recorded.read, recorded.path, recorded.channels
    mean = survey(read, recorded.samples, path, channels)
    if needs.speed and recorded.rpm is None:
        raise FaultdiagError(
            f"{path}: the model sees shaft orders and needs the shaft speed; give --rpm"
        )
    ratio = _ratio(path, recorded.rate, needs.sampling_rate)
    resampler = Resampler(*ratio, recorded.samples)
    windows = resampler.resampled // needs.length
    if windows == 0:
        raise FaultdiagError(
            f"{path} has {resampler.resampled} samples at {needs.sampling_rate:g} Hz, "
            f"the model needs {needs.length} for one window; record longer"
        )
    yield Opened(channels, recorded.rpm, recorded.rate, recorded.said_by, windows)
    # As many windows at a time as neither rate makes large.
    numbers = min(PIECE, HELD * resampler.up // resampler.down) // len(channels)
    step = max(numbers // needs.length, 1) * needs.length
    end = windows * needs.length
    watched = needs.novelty and Watched(needs.novelty, windows)
    for start in range(0, end, step):
        stop = min(start + step, end)
        first, last = resampler.needed(start, stop)
        part = resampler.part(read(first, last), first, mean, start, stop)
        if watched:
            watched.add(part.reshape(len(part), -1, needs.length))
        yield part
    if watched:
        yield watched.score()


def _ratio(path: Path, rate: float, wanted: float) -> tuple[int, int]:
    try:
        return resampling_ratio(rate, wanted)
    except FaultdiagError as error:
        raise FaultdiagError(f"{path}: {error}") from error


def _source(asked: Asked, reader: Reader, channels: tuple[str, ...]) -> RecordingSource:
    """Open the channel asked for, else the model's own where the file has them, else all."""
    if asked.channel is None:
        variables = reader.variables()
        present = {name for v in variables for name in (v.channel or "").split(", ")}
        source = reader.source(channels if set(channels) <= present else None)
    else:
        source = reader.source([name.strip() for name in asked.channel.split(",")])
    chosen = tuple(_chosen(asked.path, source.channels, channels))
    return source if chosen == source.channels else reader.source(chosen)


def _facts(
    asked: Asked, source: RecordingSource, reader: Reader, needs: Needs
) -> tuple[float, str, float | None]:
    """Give the sampling rate of a recording, who states it, and its speed."""
    # A catalogue knows a file by its digest, which is only worth its time where something is open.
    known = source.sampling_rate is not None and not (needs.speed and source.rpm is None)
    facts = {} if known else identify(asked.path) or {}
    rpm = source.rpm or facts.get("rpm") or asked.rpm
    rate = source.sampling_rate or facts.get("sampling_rate") or asked.sampling_rate
    # An altered copy: its name and variables say less than whoever gave a rate.
    open_ = rate is None or (needs.speed and rpm is None)
    guess = _by_name(asked.path, reader) if open_ and not facts else {}
    rate, said_by = _first(
        ("file", source.sampling_rate),
        ("catalogue", facts.get("sampling_rate")),
        ("argument", asked.sampling_rate),
        ("catalogue, by name", guess.get("sampling_rate")),
        ("assumed", needs.sampling_rate),
    )
    rpm = rpm or guess.get("rpm")
    return rate, said_by, None if rpm is None else float(rpm)


def _by_name(path: Path, reader: Reader) -> Mapping[str, Any]:
    known = identify_by_name(path, [variable.name for variable in reader.variables()])
    return {} if known is None else known.facts


def _first(*sources: tuple[str, float | None]) -> tuple[float, str]:
    """Give the first rate that is known, and who states it; the last one always is."""
    return next((float(value), name) for name, value in sources if value is not None)


# Recordings per process that are asked for and not yet diagnosed. It holds one of them, or a piece
# of it, and the pipe as much as fits into it.
AHEAD = 3
# Seconds without anything read after which that is told.
PATIENCE = 1.0

Part = Opened | Windows | float | str | None
"""What comes of a file, in this order: what is known of it, its windows piece by piece, its
novelty, where something is wrong the message why there is no more, and at its end None."""


def read_ahead(
    files: Iterable[Asked], needs: Needs, jobs: int
) -> Generator[tuple[Asked, Part] | None]:
    """Give the parts of each file, file by file in their order.

    With one job the files are read in this process, each when it is asked for; with more, in so
    many processes, each a little ahead. In between there is a None whenever nothing came for
    `PATIENCE` seconds. When a process is killed, as by a system that is out of memory, the file
    that it was reading is read once more in a new one; if that is killed too, there is a message.
    Whatever ends the iteration early, an interrupt too, ends the processes.
    """
    if jobs == 1:
        for one in files:
            yield from ((one, part) for part in try_read(one, needs))
            yield one, None
        return
    with ExitStack() as stack:
        readers = [stack.enter_context(closing(_Reader(needs))) for _ in range(jobs)]
        waiting, order = iter(files), deque[tuple[Asked, _Reader]]()
        for one in islice(waiting, AHEAD * jobs):
            order.append((one, readers[len(order) % jobs]))
            order[-1][1].give(one)
        while order:
            one, reader = order.popleft()
            for part in reader.parts():
                yield None if isinstance(part, _Idle) else (one, part)
            for following in islice(waiting, 1):
                order.append((following, reader))
                reader.give(following)


class _Idle:
    """Nothing came for a while."""


_IDLE = _Idle()


class _Reader:
    """A process that reads files; another takes its place when it is killed."""

    def __init__(self, needs: Needs) -> None:
        self._needs = needs
        self._stream: Stream[Asked] = Stream(try_read, needs)

    def give(self, one: Asked) -> None:
        self._stream.give(one)

    def parts(self) -> Iterator[Part | _Idle]:
        """Give the parts of the first file that was given and not yet taken."""
        done = 0
        try:
            for part in self._stream.made(PATIENCE):
                done += part is not None
                yield _IDLE if part is None else part
        except LostError:
            self._renew()
            yield from self._again(done)
        yield None

    def _again(self, done: int) -> Iterator[Part | _Idle]:
        one = self._stream.pending[0]
        try:
            for part in self._stream.made(PATIENCE):
                done -= part is not None
                # What came before the process was killed was the same.
                if part is None or done < 0:
                    yield _IDLE if part is None else part
        except LostError:
            self._stream.pending.popleft()
            self._renew()
            yield (
                f"{one.path}: the process that read it was killed, twice, as by a system that is "
                "out of memory; free some, or cut the recording into shorter ones"
            )

    def _renew(self) -> None:
        lost = self._stream
        lost.close()
        self._stream = Stream(try_read, self._needs)
        for one in lost.pending:
            self._stream.give(one)

    def close(self) -> None:
        self._stream.close()
