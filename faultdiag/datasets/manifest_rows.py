"""The rows of a manifest, CSV or YAML, each with the line it stands in."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from faultdiag import yaml_file
from faultdiag.datasets.file_pattern import number_or_text
from faultdiag.errors import FaultdiagError, did_you_mean

SUFFIXES = (".csv", ".tsv", ".yaml", ".yml")
KNOWN = ("path", "label", "sampling_rate", "rpm", "channel")
_EXAMPLE = "path,label,sampling_rate"
# Bytes in which the header of a manifest ends.
_HEAD = 2**16


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the line it begins in, what it says, and what is wrong with its form."""

    line: int
    values: dict[str, Any]
    problem: str = ""


def is_manifest(path: Path) -> bool:
    """Tell whether a file is a manifest: YAML, or text with a column ``path``, not a recording."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES or not path.is_file():
        return False
    if suffix in {".yaml", ".yml"}:
        return True
    with path.open("rb") as file:
        head = file.read(_HEAD).decode("utf-8-sig", errors="replace")
    first = next((line for line in head.splitlines() if line.strip()), "")
    return "path" in [cell.strip().strip('"') for cell in re.split("[,;\t]", first)]


def read_rows(path: Path) -> list[Row]:
    """Read the rows of a manifest.

    A CSV's cells are separated by commas, semicolons or tabs, whichever its header has; cells
    that are numbers become numbers, except in the columns `path`, `label` and `channel`, and
    empty ones None. A YAML manifest is a list of mappings.

    Raises
    ------
    FaultdiagError
        If the file can't be read, has another suffix, names no column ``path`` or one twice, or
        has no rows.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise FaultdiagError(
            f"the manifest {path} has the suffix '{suffix}'; manifests end in {', '.join(SUFFIXES)}"
        )
    text = _text(path)
    rows = _from_yaml(path, text) if suffix in {".yaml", ".yml"} else _from_csv(path, text)
    if not rows:
        raise FaultdiagError(f"the manifest {path} has no rows; write one for each recording")
    return rows


def _text(path: Path) -> str:
    try:
        # Spreadsheets put a byte order mark in front.
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise FaultdiagError(
            f"the manifest {path}, line {line}, is no UTF-8 text; save it as UTF-8"
        ) from error
    except OSError as error:
        raise FaultdiagError(
            f"the manifest {path} cannot be read: {error.strerror or error}"
        ) from error


def _from_csv(path: Path, text: str) -> list[Row]:
    first = next((line for line in text.splitlines() if line.strip()), "")
    if not first:
        raise FaultdiagError(
            f"the manifest {path} is empty; its first line is a header: {_EXAMPLE}"
        )
    separator = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True)
    header: list[str] = []
    rows = []
    start = 1
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped) and not header:
                header = _header(path, stripped, start)
            elif any(stripped):
                rows.append(_row(header, stripped, start))
            start = reader.line_num + 1
    except csv.Error as error:
        raise FaultdiagError(f"the manifest {path}, line {start}: {error}") from error
    return rows


def _header(path: Path, cells: Sequence[str], line: int) -> list[str]:
    while cells and not cells[-1]:
        cells = cells[:-1]
    place = f"the manifest {path}, line {line},"
    if "path" not in cells:
        raise FaultdiagError(
            f"{place} names no column 'path'{did_you_mean('path', cells)}; it has: "
            f"{', '.join(cells)}; the first line is a header such as {_EXAMPLE}"
        )
    twice = [name for name, count in Counter(cells).items() if count > 1]
    if twice:
        raise FaultdiagError(f"{place} names the column '{twice[0]}' twice; keep one of the two")
    return list(cells)


def _row(header: Sequence[str], cells: Sequence[str], line: int) -> Row:
    if len(cells) < len(header) or any(cells[len(header) :]):
        return Row(line, {}, f"it has {len(cells)} cells, the header {len(header)}")
    texts = {"path", "label", "channel"}
    return Row(
        line,
        {
            name: (cell if name in texts else number_or_text(cell)) if cell else None
            for name, cell in zip(header, cells, strict=False)
        },
    )


def _from_yaml(path: Path, text: str) -> list[Row]:
    document = yaml_file.parse(text, f"the manifest {path}")
    if not isinstance(document, list):
        raise FaultdiagError(
            f"the manifest {path} is no list; write one entry for each recording, such as "
            "'- {path: a.mat, label: N}'"
        )
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    lines = [item.start_mark.line + 1 for item in node.value] if node else []
    rows = [_entry(value, line) for value, line in zip(document, lines, strict=True)]
    if rows and not any("path" in row.values for row in rows if not row.problem):
        names = dict.fromkeys(name for row in rows for name in row.values)
        raise FaultdiagError(
            f"the manifest {path} has no entry with a 'path'{did_you_mean('path', names)}; "
            "write entries such as '- {path: a.mat, label: N}'"
        )
    columns = dict.fromkeys(name for row in rows for name in row.values)
    empty = dict.fromkeys(columns)
    return [Row(row.line, {**empty, **row.values}, row.problem) for row in rows]


def _entry(value: Any, line: int) -> Row:
    if not isinstance(value, dict):
        return Row(line, {}, f"it is {value!r}; write a mapping, such as {{path: a.mat, label: N}}")
    plain = {name: v for name, v in value.items() if isinstance(v, str | int | float | None)}
    odd = [name for name in value if name not in plain and name != "channel"]
    if odd:
        return Row(line, {}, f"{odd[0]} is {value[odd[0]]!r}; write one number or text")
    return Row(line, {**value, "label": _label(value)} if "label" in value else dict(value))


def _label(value: dict[str, Any]) -> str | None:
    label = value["label"]
    return None if label is None else str(label)
