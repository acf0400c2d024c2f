"""Recordings from text: CSV, TSV and the like."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError, did_you_mean
from faultdiag.readers.content import head_of
from faultdiag.readers.facts import key
from faultdiag.readers.reader import Reader, Variable
from faultdiag.readers.source import RecordingSource, distinct
from faultdiag.readers.text_blocks import TextBlocks
from faultdiag.readers.text_head import Dialect, dialect, is_text
from faultdiag.readers.times import believable, is_time, plausible_clock, sampling_rate, unit_of

_KIND = "text file"
_COUNTERS = frozenset({"", "index", "sample", "samples", "n", "no", "nr", "i", "#"})


def open_text(path: Path) -> Reader:
    """Give the reader of a table of numbers in text.

    Raises
    ------
    FaultdiagError
        If the file is no text, or holds no two lines of numbers.
    """
    head = head_of(path)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FaultdiagError(f"{path} is text in UTF-16; save it as UTF-8, for example as 'CSV'")
    if not is_text(head):
        raise FaultdiagError(
            f"{path} is no text: it begins with {head[:24]!r}; a text file holds numbers in lines"
        )
    found = dialect(head, whole=len(head) == path.stat().st_size)
    if found is None:
        first = head.lstrip(b"\xef\xbb\xbf").split(b"\n")[0][:60].decode("utf-8", "replace")
        raise FaultdiagError(
            f"{path} holds no table of numbers: at least two lines of as many numbers must stand "
            f"in its first {len(head)} bytes; its first line is {first.strip()!r}"
        )
    return TextTable(path, TextBlocks(path, found))


@dataclass(frozen=True)
class TextTable:
    """A text file whose columns are channels, of which one may count or time the samples.

    A column is a time where its name says so (``time``, ``t [ms]``, ``Zeit``) or where it is
    the first of several, has no name and rises in equal steps of a plausible sampling
    interval; where its steps are 1, it counts samples and is left out. The sampling rate is
    that of the times, else what a line above the numbers says (``fs = 12800``).

    Parameters
    ----------
    path
        The file.
    text
        Its numbers.
    """

    path: Path
    text: TextBlocks

    def variables(self) -> list[Variable]:
        """Give the columns; the file is read through to count the lines."""
        channels = {column: name for name, column in self._channels.items()}
        return [
            Variable(name, (self.text.rows,), "number", channels.get(i))
            for i, name in enumerate(self._names)
        ]

    def source(self, channels: Sequence[str] | None) -> RecordingSource:
        """Give these channels (all for None) as an opened recording.

        Raises
        ------
        FaultdiagError
            If there is no such channel, or the times are not evenly spaced.
        """
        known = self._channels
        names = tuple(known if channels is None else channels)
        for name in names:
            if name not in known:
                raise FaultdiagError(
                    f"{self.path} has no channel '{name}'{did_you_mean(name, known)}; "
                    f"it has: {', '.join(known)}"
                )
        rate = self._rate_of_times() or self._dialect.sampling_rate
        columns = Columns(self.text, tuple(known[name] for name in names))
        return RecordingSource(
            self.path, names, self.text.rows, rate, self._dialect.rpm, "number", _KIND, columns
        )

    @property
    def _dialect(self) -> Dialect:
        return self.text.dialect

    @cached_property
    def _names(self) -> list[str]:
        found = self._dialect.names
        left = [i for i in range(len(found)) if i not in (self._time, self._counter)]
        unnamed = {i: f"ch{number}" for number, i in enumerate(left, 1)}
        timed = {self._time: "time", self._counter: "index"}
        return distinct([name or unnamed.get(i) or timed[i] for i, name in enumerate(found)])

    @cached_property
    def _channels(self) -> dict[str, int]:
        """Column of each channel by its name."""
        outside = (self._time, self._counter)
        return {name: i for i, name in enumerate(self._names) if i not in outside}

    @cached_property
    def _first(self) -> NDArray[np.float64]:
        return self.text.numbers(self.text.index[0])

    @cached_property
    def _time(self) -> int | None:
        """The column of times, or None."""
        names = self._dialect.names
        if len(names) < 2:
            return None
        named = next((i for i, name in enumerate(names) if is_time(name)), None)
        if named is not None or names[0]:
            return named
        rate = sampling_rate(self._first[:, 0], self._resolution(0))
        return 0 if isinstance(rate, float) and plausible_clock(rate) else None

    @cached_property
    def _counter(self) -> int | None:
        """The column that counts the samples, or None."""
        names = self._dialect.names
        first = self._first[:, 0]
        counts = key(names[0]) in _COUNTERS and bool((np.diff(first) == 1).all())
        return 0 if counts and len(names) > 1 and self._time != 0 else None

    def _resolution(self, column: int) -> float:
        """What the numbers of a column were rounded to; 0 for whole numbers."""
        digits = self._dialect.decimals[column]
        return 10.0**-digits if digits else 0.0

    def _rate_of_times(self) -> float | None:
        if self._time is None:
            return None
        unit = unit_of(self._dialect.names[self._time])
        index = [block for block in self.text.index if block.rows]
        last = self._first if len(index) == 1 else self.text.numbers(index[-1])
        rate = sampling_rate(
            self._first[:, self._time] * unit,
            self._resolution(self._time) * unit,
            last=float(last[-1, self._time]) * unit,
            count=self.text.rows,
        )
        if isinstance(rate, str):
            raise FaultdiagError(
                f"{self.path}: the times in column {self._names[self._time]} are not evenly "
                f"spaced: {rate}; resample the signal to a constant step, or take the column out "
                "and state the rate"
            )
        return rate if believable(rate, self._dialect.names[self._time]) else None


@dataclass(frozen=True, slots=True)
class Columns:
    """The samples in some columns of a text file."""

    text: TextBlocks
    columns: tuple[int, ...]

    def blocks(self, start: int, stop: int) -> Iterator[NDArray[np.float64]]:
        """Give the samples from `start` to `stop` in pieces ``(channels, n)``, in order."""
        for block in self.text.index:
            first, last = max(start - block.row, 0), min(stop - block.row, block.rows)
            if first < last:
                yield self.text.numbers(block)[first:last, self.columns].T
