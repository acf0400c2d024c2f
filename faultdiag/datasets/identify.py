"""Facts of a single file that no dataset was named for: by its bytes, its samples, its name."""

import csv
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faultdiag.datasets import DATASETS, cwru, synthetic
from faultdiag.datasets.cwru import numbers_in
from faultdiag.datasets.published import PublishedSet
from faultdiag.documents import Document
from faultdiag.errors import FaultdiagError
from faultdiag.readers.base import Variable, channels_of
from faultdiag.readers.read import read_range


@dataclass(frozen=True, slots=True)
class NamedRecording:
    """A published recording that a file is by its name or variables: in words, and its facts.

    It is confirmed where the number of samples is that recording's too.
    """

    title: str
    facts: Document
    confirmed: bool = False
    by: str = "its name and variables"

    @property
    def doubt(self) -> str:
        """Why the facts may not hold."""
        return (
            f"taken for {self.title} by {self.by}, though its bytes are not that "
            "recording's: what the catalogue says of it may not hold"
        )


def identify(path: Path) -> Document | None:
    """Return the facts of a recording that a catalogue knows, or None.

    A measured recording is known by its bytes, whatever the file is called; a simulated one by
    the mark in its folder.

    Raises
    ------
    FaultdiagError
        If the file or the mark of its folder can't be read.
    """
    length = path.stat().st_size if path.is_file() else -1
    facts = _by_bytes(path) if length in _known_lengths() else None
    return facts or synthetic.identify(path)


def _by_bytes(path: Path) -> Document | None:
    facts = cwru.identify(path)
    for known in published_sets().values():
        facts = facts or known.identify(path)
    return facts


@cache
def _known_lengths() -> frozenset[int]:
    """Return the lengths in bytes of all files that a catalogue knows by their digests."""
    published = (file for known in published_sets().values() for file in known.files)
    return cwru.lengths() | {file.length for file in published if not file.is_archive}


def identify_by_name(
    path: Path, variables: Callable[[], Iterable[Variable]], samples: int | None = None
) -> NamedRecording | None:
    """Return the published recording of a file by its name and its variables, or None.

    For copies whose bytes were changed, such as one saved again in another format: CWRU's number
    in the name and in a variable, or a name of another set beside all of its variables.

    Parameters
    ----------
    variables
        Returns what the file holds; called only where name or length fit.
    samples
        Samples of its channels, if known.
    """
    stem = PurePosixPath(path.name).stem
    named = [
        (known, facts)
        for known in published_sets().values()
        if known.variables and (facts := known.by_name(stem)) is not None
    ]
    unnamed = not numbers_in(path.name) and not named
    if unnamed and samples is not None and not may_be_healthy(samples):
        return None
    held = list(variables())
    if unnamed:
        return _healthy_by_length(held)
    return _cwru_by_name(path, held) or _published_by_name(named, held)


def _published_by_name(
    named: Iterable[tuple[PublishedSet, Document]], variables: Iterable[Variable]
) -> NamedRecording | None:
    """Return the first recording of these names whose set's variables are all in the file."""
    names = {variable.name for variable in variables}
    recordings = (
        NamedRecording(f"{known.title} recording {facts['name']}", facts)
        for known, facts in named
        if known.variables <= names
    )
    return next(recordings, None)


def _cwru_by_name(path: Path, variables: Collection[Variable]) -> NamedRecording | None:
    """Return the CWRU recording that a file is by its number and length, or by its number."""
    known = _cwru_by_length(path, variables)
    if known is not None:
        return NamedRecording(f"CWRU recording {known}", known.facts, confirmed=True)
    number = cwru_number(path, {variable.name for variable in variables})
    if number is None:
        return None
    known = cwru.catalogue()[number]
    return NamedRecording(f"CWRU recording {known}", known.facts)


# What a MATLAB file of CWRU holds besides samples of 8 bytes: headers, names and the speed.
_LEAST_BESIDE, _MOST_BESIDE = 200, 800
# Samples of healthy recordings, which are at 48 kHz among faults at 12 kHz; 99 is published in a
# file with recording 98.
_LENGTHS = {98: 483_903, 99: 485_063, 100: 485_643}


def may_be_healthy(samples: int) -> bool:
    """Return whether a healthy CWRU recording has this number of samples."""
    return samples in _LENGTHS.values()


def _healthy_by_length(variables: Iterable[Variable]) -> NamedRecording | None:
    """Return the healthy CWRU recording that a file under any name has the samples of, or None."""
    counts = {max(v.shape, default=0) for v in variables if v.channel}
    numbers = [number for number, count in _LENGTHS.items() if count in counts]
    if len(numbers) != 1:
        return None
    known = cwru.catalogue()[numbers[0]]
    return NamedRecording(f"CWRU recording {known}", known.facts, by="its number of samples")


def _cwru_by_length(path: Path, variables: Iterable[Variable]) -> cwru.Known | None:
    """Return the CWRU recording whose number a file's name has, and whose samples its channels.

    So a recording is known that was saved in another format, under other names: the published
    file has one, two or three channels, and its bytes tell how many samples each has.
    """
    counts = {max(v.shape, default=0) for v in variables if v.channel}
    candidates = [
        known
        for number in numbers_in(path.name)
        if (known := cwru.catalogue()[number]) and any(_fits(known, count) for count in counts)
    ]
    return candidates[0] if len(candidates) == 1 else None


def _fits(known: cwru.Known, count: int) -> bool:
    if known.number in _LENGTHS:
        return count == _LENGTHS[known.number]
    beside = [known.bytes - 8 * channels * count for channels in (1, 2, 3)]
    return any(_LEAST_BESIDE <= rest <= _MOST_BESIDE for rest in beside)


def cwru_number(path: Path, variables: Collection[str]) -> int | None:
    """Return the CWRU number that is both in a file's name and in a variable's, or None."""
    numbers = numbers_in(path.name)
    names = {f"X{number:03d}_{end}_time" for number in numbers for end in ("DE", "FE")}
    return numbers[0] if len(numbers) == 1 and names & set(variables) else None


# Our data sets that have no such table; they are not imported to see that.
_UNPUBLISHED = frozenset({"cwru", "folder", "manifest", "synthetic", "windows"})


@cache
def published_sets() -> Mapping[str, PublishedSet]:
    """Return the facts of the published sets that have one table for all of them."""
    names = [name for name in DATASETS if name not in _UNPUBLISHED]
    sets = {name: getattr(DATASETS.get(name), "published", None) for name in names}
    return {name: known for name, known in sets.items() if known is not None}


_BITS, _STEP = 256, 37
SAMPLES = _BITS * _STEP + 1
"""Samples at the beginning of a recording that a fingerprint takes."""
# Of 256 bits. Rounding to three decimals changes up to 6 of the shared recordings'; other
# recordings differ in 90 or more.
_MOST_DIFFERENT = 40
# Most channels that are compared; no file of CWRU has more.
_MOST_CHANNELS = 3


def fingerprint(samples: ArrayLike) -> str:
    """Return the fingerprint of a signal as 64 hexadecimal digits.

    Parameters
    ----------
    samples
        ``(samples,)``, from the beginning of the recording on; at least `SAMPLES`.
    """
    x = np.asarray(samples, np.float64)[:SAMPLES:_STEP]
    return np.packbits(np.diff(x) > 0).tobytes().hex()


def known_by_samples(path: Path, variables: Iterable[Variable]) -> cwru.Known | None:
    """Return the CWRU recording whose samples a channel of a file begins with, or None.

    The table has the recordings that were at hand. Only signals that are as long as one of them
    are read: reading the beginning of a compressed file can take as long as all of it.

    Parameters
    ----------
    variables
        What the file holds.
    """
    lengths = _table()[2]
    fitting = [v for v in variables if v.channel and max(v.shape, default=0) in lengths]
    for channel in channels_of(fitting)[:_MOST_CHANNELS]:
        try:
            samples = read_range(path, channel, 0, SAMPLES)[0]
        except (FaultdiagError, ValueError):
            continue
        if (number := _number_of(samples)) is not None:
            return cwru.catalogue()[number]
    return None


def has_known_length(samples: int) -> bool:
    """Return whether a recording of the table has this number of samples."""
    return samples in _table()[2]


def _number_of(samples: NDArray[np.float32]) -> int | None:
    numbers, known, _ = _table()
    own = np.frombuffer(bytes.fromhex(fingerprint(samples)), np.uint8)
    different = np.bitwise_count(known ^ own).sum(axis=1)
    nearest = int(different.argmin())
    return numbers[nearest] if different[nearest] <= _MOST_DIFFERENT else None


@cache
def _table() -> tuple[list[int], NDArray[np.uint8], frozenset[int]]:
    """Return the numbers of recordings, the bytes of their fingerprints, and their lengths."""
    with Path(__file__).with_name("cwru_fingerprints.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    digits = "".join(row["fingerprint"] for row in rows)
    table = np.frombuffer(bytes.fromhex(digits), np.uint8).reshape(len(rows), _BITS // 8)
    numbers = [int(row["number"]) for row in rows]
    return numbers, table, frozenset(int(row["samples"]) for row in rows)
