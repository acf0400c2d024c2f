"""Read the rows that `predict` wrote, CSV or JSON lines, back into values."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from faultdiag.documents import Document, Json, parse_json
from faultdiag.errors import FaultdiagError
from faultdiag.evidence.physics import AGREEMENTS, PARTS, Agreement, Part
from faultdiag.prediction.rows import COLUMNS, EVIDENCE_COLUMNS
from faultdiag.system.terminal import from_cell

_Word = TypeVar("_Word", bound=str)

# What a row needs to be one of predict's.
_REQUIRED = ("path", "status", "label", "confidence")


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A row of a prediction, as far as it was stored.

    Parameters
    ----------
    path, error, label, confidence, windows, novelty, probabilities
        As those of `Row`.
    window_agreement
        Its column ``agreement``.
    sampling_rate, sampling_rate_source, channel, signature
        As those of `Row`.
    physics, score, harmonics, sidebands, agreement
        The evidence, where the rows have it; `agreement` is None where they don't.
    """

    path: str
    error: str | None
    label: str | None
    confidence: float | None
    window_agreement: float | None
    windows: int | None
    novelty: float | None
    sampling_rate: float | None
    sampling_rate_source: str | None
    channel: str | None
    probabilities: Mapping[str, float]
    physics: Part | None
    score: float | None
    harmonics: int
    sidebands: int
    agreement: Agreement | None
    signature: str | None = None


def is_rows_file(path: Path) -> bool:
    """Return whether a file holds rows of `predict`, by its first line."""
    if not path.is_file() or path.suffix.lower() not in {".csv", ".json", ".jsonl"}:
        return False
    try:
        with path.open(encoding="utf-8", newline="") as file:
            first = file.readline(1 << 20)
    except (OSError, UnicodeDecodeError):
        return False
    return set(_REQUIRED) <= set(_names(first))


def _names(line: str) -> list[str]:
    if line.startswith("{"):
        try:
            return list(parse_json(line))
        except ValueError:
            return []
    return list(map(from_cell, next(csv.reader([line]), [])))


def read_stored_rows(path: Path) -> list[StoredRow]:
    """Read all rows of a file that `predict` wrote.

    Raises
    ------
    FaultdiagError
        If the file can't be read, holds no rows, or a row lacks a column.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FaultdiagError(f"cannot read the rows in {path}: {error}") from error
    rows = _json_rows(path, text) if text.startswith("{") else _csv_rows(text)
    if not rows:
        raise FaultdiagError(
            f"{path} has a heading and no rows: nothing to report on; diagnose "
            f"recordings first: faultdiag predict RUN RECORDINGS --out {path}"
        )
    return [_stored(path, number, row) for number, row in enumerate(rows, 1)]


def _csv_rows(text: str) -> list[Json]:
    heading, *lines = csv.reader(io.StringIO(text, newline=""))
    names = list(map(from_cell, heading))
    return [dict(zip(names, map(from_cell, cells), strict=False)) for cells in lines]


def _json_rows(path: Path, text: str) -> list[Json]:
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            rows.append(dict(parse_json(line)))
        except (ValueError, TypeError) as error:
            raise FaultdiagError(f"{path}, line {number} is not JSON: {error}") from error
    return rows


def _stored(path: Path, number: int, row: Document) -> StoredRow:
    _require_columns(path, number, row)
    return StoredRow(
        path=str(row["path"]),
        # That of a row that is not of status error is a warning.
        error=_text(row.get("error")) if row["status"] == "error" else None,
        label=_text(row["label"]),
        confidence=_number(row["confidence"]),
        window_agreement=_number(row.get("agreement")),
        windows=_whole(row.get("windows")),
        novelty=_number(row.get("novelty")),
        sampling_rate=_number(row.get("sampling_rate")),
        sampling_rate_source=_text(row.get("sampling_rate_source")),
        channel=_text(row.get("channel")),
        probabilities=_probabilities(row),
        physics=_one_of(PARTS, row.get("evidence_physics")),
        score=_number(row.get("evidence_score")),
        harmonics=_whole(row.get("evidence_harmonics")) or 0,
        sidebands=_whole(row.get("evidence_sidebands")) or 0,
        agreement=_one_of(AGREEMENTS, row.get("evidence_agreement")),
        signature=_one_of(("yes", "no"), row.get("signature")),
    )


def _require_columns(path: Path, number: int, row: Document) -> None:
    missing = [name for name in _REQUIRED if name not in row]
    if missing:
        raise FaultdiagError(
            f"{path}, row {number} has no column {', '.join(missing)}; give the file that "
            "faultdiag predict --out wrote"
        )


def _probabilities(row: Document) -> dict[str, float]:
    """Return the probability of each class: the columns of other names than predict's own."""
    names = [name for name in row if name not in COLUMNS and name not in EVIDENCE_COLUMNS]
    shares = {_class(name): _number(row[name]) for name in names if name is not None}
    return {name: share for name, share in shares.items() if share is not None}


def _text(value: object) -> str | None:
    return str(value) if value else None


def _one_of(words: Sequence[_Word], value: object) -> _Word | None:
    return next((word for word in words if word == value), None)


def _class(column: str) -> str:
    """Return the class of a column of probabilities: ``p(error)`` is the class ``error``."""
    inside = column.removeprefix("p(").removesuffix(")")
    return inside if inside in COLUMNS and column == f"p({inside})" else column


def _number(value: float | str | None) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _whole(value: float | str | None) -> int | None:
    number = _number(value)
    return None if number is None else int(number)
