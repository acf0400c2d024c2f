"""Rows of a prediction: their columns, and writers for CSV, JSON and a terminal."""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TextIO

import numpy as np
from numpy.typing import NDArray

from faultdiag.documents import Json
from faultdiag.errors import counted, printable
from faultdiag.evidence.families import FaultFamily
from faultdiag.evidence.gather import Evidence
from faultdiag.evidence.peaks import EnvelopePeak
from faultdiag.features.extract import WINDOW_STATISTICS
from faultdiag.system.terminal import csv_line, printable_json, to_cell

COLUMNS = (
    "path",
    "status",
    "label",
    "confidence",
    "agreement",
    "windows",
    "sampling_rate",
    "sampling_rate_source",
    "channel",
    "novelty",
    "signature",
    "error",
)
"""The columns of a row, in the order of CSV and JSON; a probability for each class follows."""

EVIDENCE_COLUMNS = (
    "evidence_channel",
    "evidence_physics",
    "evidence_score",
    "evidence_agreement",
    "evidence_line",
    "evidence_order",
    "evidence_frequency",
    "evidence_prominence",
    "evidence_band",
    "evidence_harmonics",
    "evidence_sidebands",
    "evidence_slip",
    "evidence_tolerance",
    "evidence_lines",
    "evidence_rms",
    "evidence_kurtosis",
    "evidence_crest_factor",
    "evidence_rms_ratio",
    "evidence_kurtosis_ratio",
    "evidence_crest_factor_ratio",
    "evidence_rate_check",
    "evidence_missing",
)
"""With evidence these columns follow the probabilities."""

NOVEL = "unlike the training data"
NO_SIGNATURE = "no bearing signature"

MARK, REJECT = "mark", "reject"
# The label of a recording that is rejected because it is novel.
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Row:
    """The diagnosis of one recording, or why there is none.

    Parameters
    ----------
    path
        The recording.
    status
        ``ok``, ``novel`` where novel recordings are rejected, or ``error``.
    label, confidence, agreement, windows, probabilities
        Those of the `Diagnosis`.
    sampling_rate, sampling_rate_source
        The recording's own in Hz, and who states it: ``file``, ``catalogue``, ``argument``, or
        ``assumed`` where nobody does and the model's own is taken.
    channel
        The channels that were read, separated by commas.
    novelty
        Above 1 where the recording is unlike the training data.
    signature
        Whether the recording shows a bearing fault's signature: ``yes``, ``no``, None if unknown.
    error
        Why there is no diagnosis.
    evidence
        That of the `Diagnosis`, if requested.
    warning
        What is odd about a recording that was diagnosed nevertheless.
    """

    path: str
    status: str
    label: str | None = None
    confidence: float | None = None
    agreement: float | None = None
    windows: int | None = None
    sampling_rate: float | None = None
    sampling_rate_source: str | None = None
    channel: str | None = None
    novelty: float | None = None
    signature: str | None = None
    error: str | None = None
    probabilities: dict[str, float] | None = None
    evidence: Evidence | None = None
    warning: str | None = None

    def cell(self, column: str) -> object:
        """Return the value of one of `COLUMNS`; a warning is in the column of errors."""
        if column == "error" and self.error is None and self.warning:
            return f"warning: {self.warning}"
        return getattr(self, column)

    @property
    def is_novel(self) -> bool:
        """Whether the recording is unlike the training data."""
        return self.novelty is not None and self.novelty > 1


def novelty_note(novel: int, files: int, *, rejected: bool = False) -> str:
    """Return the warning about novel recordings."""
    advice = (
        f"their label is {UNKNOWN} and their status novel; --novel mark keeps the diagnosis"
        if rejected
        else "it has seen nothing like them, so don't rely on the diagnosis alone, whatever the "
        "confidence"
    )
    return (
        f"{novel} of {counted(files, 'recording')} {'is' if novel == 1 else 'are'} unlike the "
        f"training data (novelty above 1): {advice}"
    )


class RowWriter(Protocol):
    """Writes rows one by one; each is flushed before the next is computed."""

    def write(self, row: Row) -> None:
        """Write one row."""


class _Stream:
    """A text stream whose every line is flushed.

    Parameters
    ----------
    stream
        Where the rows are written.
    classes
        The model's classes, in the order of their probabilities.
    evidence
        Whether the columns of the evidence follow.
    """

    def __init__(self, stream: TextIO, classes: Sequence[str], *, evidence: bool = False) -> None:
        self._stream = stream
        self._classes = classes
        self._evidence = EVIDENCE_COLUMNS if evidence else ()

    def _put(self, line: str) -> None:
        self._stream.write(line)
        self._stream.flush()


class CsvWriter(_Stream):
    """Rows as CSV: a heading, the columns of `COLUMNS`, then a probability for each class.

    Parameters
    ----------
    stream, classes, evidence
        Where to, with which probabilities, and whether with the evidence.
    heading
        Whether to write the heading first.
    """

    def __init__(
        self,
        stream: TextIO,
        classes: Sequence[str],
        *,
        heading: bool = True,
        evidence: bool = False,
    ) -> None:
        super().__init__(stream, classes, evidence=evidence)
        if heading:
            names = map(to_cell, probability_columns(classes))
            self._put_cells([*COLUMNS, *names, *self._evidence])

    def write(self, row: Row) -> None:
        """Write one row."""
        chances = row.probabilities or {}
        known = evidence_values(row.evidence) if row.evidence else {}
        values = [row.cell(name) for name in COLUMNS]
        values += [*map(chances.get, self._classes), *map(known.get, self._evidence)]
        cells = [_cell(value) for value in values]
        if row.sampling_rate is not None:
            # All digits: 102400.5 is another rate than 102400.
            cells[COLUMNS.index("sampling_rate")] = f"{row.sampling_rate:.15g}"
        self._put_cells(cells)

    def _put_cells(self, cells: Sequence[str]) -> None:
        self._put(encodable(csv_line(cells)))


class JsonWriter(_Stream):
    """Rows as JSON, one object a line, with the columns of the CSV."""

    def write(self, row: Row) -> None:
        """Write one row."""
        chances = row.probabilities or {}
        names = zip(self._classes, probability_columns(self._classes), strict=True)
        document: Json = {name: row.cell(name) for name in COLUMNS}
        document |= {column: chances.get(name) for name, column in names}
        known = evidence_values(row.evidence) if row.evidence else {}
        document |= {column: known.get(column) for column in self._evidence}
        self._put(printable_json(json.dumps(document, ensure_ascii=False)) + "\n")


class TableWriter(_Stream):
    """Rows as an aligned table for a terminal.

    Parameters
    ----------
    stream, classes
        Where to, and the labels that a row can have.
    paths
        All paths that will come, for the width of their column.
    """

    HEADING = ("confidence %", "agreement %", "windows")

    def __init__(self, stream: TextIO, classes: Sequence[str], paths: Sequence[str]) -> None:
        super().__init__(stream, classes)
        self._path = max(len(printable(text)) for text in ["recording", *paths])
        self._label = max(len(printable(text)) for text in ["diagnosis", *classes])
        self._line("recording", "diagnosis", "  ".join(self.HEADING))
        numbers = "  ".join("-" * len(text) for text in self.HEADING)
        self._line("-" * self._path, "-" * self._label, numbers)

    def write(self, row: Row) -> None:
        """Write one row."""
        if row.error is not None:
            self._line(row.path, "-", row.error)
            return
        values = (f"{100 * (row.confidence or 0):.1f}", f"{100 * (row.agreement or 0):.1f}")
        cells = zip((*values, str(row.windows)), self.HEADING, strict=True)
        numbers = "  ".join(value.rjust(len(text)) for value, text in cells)
        marks = [NOVEL] if row.is_novel else []
        marks += [NO_SIGNATURE] if row.signature == "no" else []
        marks += [f"warning: {row.warning}"] if row.warning else []
        self._line(row.path, row.label or "-", "  ".join([numbers, *marks]))

    def _line(self, path: str, label: str, rest: str) -> None:
        cells = (printable(path).ljust(self._path), printable(label).ljust(self._label))
        self._put(f"{'  '.join(cells)}  {printable(rest)}\n")


def evidence_values(evidence: Evidence) -> Json:
    """Return the evidence as values by column; a column without a value is absent or None."""
    physics, family = evidence.physics, evidence.matched
    values: Json = {
        "evidence_channel": evidence.channel,
        "evidence_agreement": evidence.agreement,
        "evidence_lines": "; ".join(map(_line_text, evidence.peaks)),
        "evidence_rate_check": evidence.rate_check.verdict,
        "evidence_missing": "; ".join(evidence.missing),
    }
    if physics is not None:
        values |= {"evidence_physics": physics.part or "none", "evidence_score": physics.score}
    if family is not None:
        values |= _family_values(family)
    elif evidence.peaks:
        values |= _peak_values(evidence.peaks[0])
    for name in WINDOW_STATISTICS:
        values[f"evidence_{name}"] = _finite(getattr(evidence.statistics, name))
        if evidence.ratios is not None:
            values[f"evidence_{name}_ratio"] = _finite(getattr(evidence.ratios, name))
    return values


def _family_values(family: FaultFamily) -> Json:
    line = family.strongest
    return {
        "evidence_line": line.name,
        "evidence_order": line.order,
        "evidence_frequency": line.frequency,
        "evidence_prominence": line.prominence,
        "evidence_band": _band_text(family.band),
        "evidence_harmonics": len(family.lines),
        "evidence_sidebands": family.sidebands,
        "evidence_slip": family.slip,
        "evidence_tolerance": family.tolerance,
    }


def _peak_values(peak: EnvelopePeak) -> Json:
    return {
        "evidence_line": " or ".join(peak.matches) or None,
        "evidence_order": peak.order,
        "evidence_frequency": peak.frequency,
        "evidence_prominence": peak.prominence,
        "evidence_band": _band_text(peak.band),
    }


def _line_text(peak: EnvelopePeak) -> str:
    name = " or ".join(peak.matches) or "?"
    order = "" if peak.order is None else f"order {peak.order:.3f}, "
    place = f"{order}{peak.frequency:.2f} Hz"
    return f"{name}: {place}, prominence {peak.prominence:.2f}, {_band_text(peak.band)} Hz"


def _band_text(band: tuple[float, float]) -> str:
    return f"{band[0]:.0f}-{band[1]:.0f}"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def probability_columns(classes: Sequence[str]) -> list[str]:
    """Return the columns of the probabilities: the classes, as ``p(class)`` where a column has it.

    Examples
    --------
    >>> probability_columns(["N", "error"])
    ['N', 'p(error)']
    """
    return [f"p({name})" if name in COLUMNS else name for name in classes]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return to_cell(value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def encodable(text: str) -> str:
    """Escape what UTF-8 can't encode: parts of file names that are not UTF-8."""
    return text.encode("utf-8", errors="backslashreplace").decode("utf-8")


WINDOW_COLUMNS = ("path", "window", "start", "seconds", "label")


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
        Samples of a window, and the model's rate in Hz.
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
        chances = (f"p({name})" if name in WINDOW_COLUMNS else name for name in classes)
        self._names = [*WINDOW_COLUMNS, *chances]
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
        """End a recording: its windows are in the file before its row is written."""
        self._stream.flush()
        self._kept = os.fstat(self._stream.fileno()).st_size
        self._window = 0

    def drop(self) -> None:
        """Remove what was written since the last recording ended."""
        self._stream.flush()
        os.truncate(self._stream.fileno(), self._kept)
        self._window = 0

    def _put(self, rows: Sequence[Sequence[object]]) -> None:
        self._stream.write(self._as_json(rows) if self._json else encodable(_as_csv(rows)))

    def _as_json(self, rows: Sequence[Sequence[object]]) -> str:
        documents = (dict(zip(self._names, row, strict=True)) for row in rows)
        lines = (json.dumps(row, ensure_ascii=False) for row in documents)
        return "".join(f"{printable_json(line)}\n" for line in lines)


def _as_csv(rows: Sequence[Sequence[object]]) -> str:
    return "".join(csv_line(map(_window_cell, row, range(len(row)))) for row in rows)


def _window_cell(value: object, place: int) -> str:
    if isinstance(value, str):
        return to_cell(value)
    rounded = isinstance(value, float) and place >= len(WINDOW_COLUMNS)
    return f"{value:.6g}" if rounded else str(value)
