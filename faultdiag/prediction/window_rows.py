"""Rows of `faultdiag predict --windows`: one for each window, written as they come."""

import csv
import io
import json
import os
from collections.abc import Sequence
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from faultdiag.prediction.rows import printable

COLUMNS = ("path", "window", "start", "seconds", "label")


class WindowWriter:
    """Writes the windows of recordings, CSV or JSON lines.

    ``start`` is in samples and ``seconds`` in seconds from the beginning of the recording, both
    at the model's sampling rate; then come the probabilities of the classes.

    Parameters
    ----------
    stream
        A file that is appended to.
    classes
        The model's classes.
    length, sampling_rate
        Of a window, in samples, and in Hz.
    as_json
        Whether as JSON.
    """

    def __init__(
        self,
        stream: TextIO,
        classes: Sequence[str],
        *,
        length: int,
        sampling_rate: float,
        as_json: bool,
    ) -> None:
        self._stream = stream
        self._classes = classes
        chances = (f"p({name})" if name in COLUMNS else name for name in classes)
        self._names = [*COLUMNS, *chances]
        self._length = length
        self._rate = sampling_rate
        self._json = as_json
        self._window = 0
        self.keep()
        if self._kept == 0 and not as_json:
            self._put([self._names])
            self.keep()

    def write(self, path: str, probabilities: NDArray[np.float64]) -> None:
        """Write the next windows of a recording, their probabilities ``(windows, classes)``."""
        rows = []
        for chances in probabilities:
            start = self._window * self._length
            label = self._classes[int(chances.argmax())]
            place = (path, self._window, start, round(start / self._rate, 6), label)
            rows.append([*place, *chances.tolist()])
            self._window += 1
        self._put(rows)

    def keep(self) -> None:
        """End a recording: its windows are in the file before anything else happens."""
        self._stream.flush()
        self._kept = os.fstat(self._stream.fileno()).st_size
        self._window = 0

    def drop(self) -> None:
        """Take back what was written since the last recording ended."""
        self._stream.flush()
        os.truncate(self._stream.fileno(), self._kept)
        self._window = 0

    def _put(self, rows: Sequence[Sequence[Any]]) -> None:
        text = self._as_json(rows) if self._json else _as_csv(rows)
        self._stream.write(printable(text))

    def _as_json(self, rows: Sequence[Sequence[Any]]) -> str:
        documents = (dict(zip(self._names, row, strict=True)) for row in rows)
        return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in documents)


def _as_csv(rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    places, writer = len(COLUMNS), csv.writer(text, lineterminator="\n")
    for row in rows:
        chances = (f"{value:.6g}" if isinstance(value, float) else value for value in row[places:])
        writer.writerow([*row[:places], *chances])
    return text.getvalue()
