"""LabVIEW measurement files (.lvm): text with a header that names channels and their step.

References
----------
.. [1] National Instruments, "Specification for the LabVIEW Measurement File (.lvm)",
   https://www.ni.com/docs/en-US/bundle/labview/page/labview-measurement-files.html
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from faultdiag.errors import FaultdiagError, first_names
from faultdiag.readers.base import Reader, plausible_rate, rate_of_increment
from faultdiag.readers.dialect import Dialect
from faultdiag.readers.source import DamageError, head_of, reading
from faultdiag.readers.text import TextBlocks, TextTable

_MARK = b"LabVIEW Measurement"
_END = "***End_of_Header***"
_KIND = "LabVIEW measurement file"
_SEPARATORS = {"tab": "\t", "comma": ",", "semicolon": ";"}
_MOST_LINES = 400
# Digits of a count.
_MOST_DIGITS = 18


def open_lvm(path: Path) -> Reader:
    """Return the reader of a LabVIEW measurement file.

    X columns are no channels: the step of the samples is the header's ``Delta_X``.

    Raises
    ------
    FaultdiagError
        If it has no such header, or its channels differ in their steps.
    """
    if not head_of(path).startswith(_MARK):
        raise FaultdiagError(
            f"{path} is no {_KIND}: it does not begin with '{_MARK.decode()}'; give other text "
            "the suffix .txt"
        )
    with reading(path, _KIND), path.open("rb") as file:
        lines = [line.decode("utf-8", "replace") for line in islice(file, _MOST_LINES)]
        headers = _headers([line.rstrip("\r\n") for line in lines])
        blocks = TextBlocks(path, _dialect(path, lines, headers))
        _require_counts(headers.segment, blocks)
        return TextTable(path, blocks)


class _Headers(NamedTuple):
    """The facts of the file and of its first segment, and the line that ends the second header."""

    facts: Mapping[str, Sequence[str]]
    segment: Mapping[str, Sequence[str]]
    separator: str
    end: int


def _headers(text: Sequence[str]) -> _Headers:
    first, second = _ends_of_headers(text)
    facts = _facts(text[:first])
    separator = _SEPARATORS.get(facts.get("Separator", [""])[0].lower(), "\t")
    return _Headers(facts, _facts(text[first + 1 : second], separator), separator, second)


def _require_counts(segment: Mapping[str, Sequence[str]], blocks: TextBlocks) -> None:
    """Compare the header with the table below it: more rows than it states may be appended.

    Raises
    ------
    DamageError
        If a count is not a number, rows are missing, or the channels are not those of the table.
    """
    for name, count in (
        ("Samples", blocks.rows),
        ("Channels", blocks.dialect.kinds.count("number")),
    ):
        stated = [value for value in segment.get(name, ()) if value]
        if not all(value.isdecimal() and len(value) < _MOST_DIGITS for value in stated):
            listed = first_names([value[:_MOST_DIGITS] for value in stated])
            raise DamageError(f"its header states {listed} {name}, which is no number of them")
        most = max(map(int, stated), default=count)
        if count < most or (name == "Channels" and count != most):
            raise DamageError(f"its header states {most} {name}, and {count} follow")


def _dialect(path: Path, lines: Sequence[str], headers: _Headers) -> Dialect:
    facts, segment, separator, second = headers
    text = [line.rstrip("\r\n") for line in lines]
    header = text[second + 1].split(separator)
    first_row = text[second + 2].split(separator) if second + 2 < len(text) else header
    # The column of comments is named in the header and mostly left out of the rows.
    width = max(len(first_row), len(header))
    names = [name.strip() for name in header] + [""] * (width - len(header))
    kinds = tuple(_kind(name) for name in names)
    if "number" not in kinds:
        raise DamageError("its header names no channel")
    return Dialect(
        separator=separator,
        decimal_comma=facts.get("Decimal_Separator", ["."])[0] == ",",
        trailing=False,
        columns=width,
        names=tuple(names),
        offset=sum(len(line.encode()) for line in lines[: second + 2]),
        lines=second + 2,
        sampling_rate=_rate(path, segment.get("Delta_X", ())),
        rpm=None,
        kinds=kinds,
    )


def _ends_of_headers(text: Sequence[str]) -> tuple[int, int]:
    """Return the lines that end the file's header and that of its first segment."""
    ends = [i for i, line in enumerate(text) if line.strip().startswith(_END)]
    if len(ends) < 2 or ends[1] + 2 >= len(text):
        raise DamageError(f"its two headers do not end with {_END}, or no rows follow")
    return ends[0], ends[1]


def _facts(lines: Sequence[str], separator: str = "\t") -> Mapping[str, list[str]]:
    parts = [line.split(separator) for line in lines]
    return {name.strip(): [v.strip() for v in values] for name, *values in parts if values}


def _kind(name: str) -> str:
    """Return whether a column holds samples: X values and comments are passed over."""
    return "text" if name in {"", "X_Value", "Comment"} else "number"


def _rate(path: Path, steps: Sequence[str]) -> float | None:
    try:
        values = {float(step.replace(",", ".")) for step in steps if step}
    except ValueError as error:
        listed = first_names([step[:40] for step in steps])
        raise DamageError(f"its header states the Delta_X {listed}") from error
    if len(values) > 1:
        listed = first_names([f"{value:g}" for value in sorted(values)], 5)
        raise FaultdiagError(
            f"{path}: its channels have the steps Delta_X {listed} s; save channels of one rate "
            "in a file"
        )
    return plausible_rate(rate_of_increment(value) for value in values if value > 0)
