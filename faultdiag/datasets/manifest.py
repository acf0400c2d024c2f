"""A table of recordings with their labels and facts."""

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field

from faultdiag.datasets.base import (
    Entry,
    Flag,
    OwnRecordings,
    Positive,
    Selection,
    select_entries,
    short_names,
    values_of,
)
from faultdiag.datasets.facts import number_or_text
from faultdiag.documents import Json
from faultdiag.errors import FaultdiagError, counted, did_you_mean
from faultdiag.readers.read import SUFFIXES as READABLE
from faultdiag.readers.read import is_recording, several_in_zip
from faultdiag.signal.bearings import bearing_text
from faultdiag.system import files
from faultdiag.system.terminal import from_cell

SUFFIXES = (".csv", ".tsv", ".yaml", ".yml")
KNOWN = ("path", "label", "sampling_rate", "rpm", "channel")
_EXAMPLE = "path,label,sampling_rate"
# Bytes in which the header of a manifest ends.
# A row takes some 100 bytes.
_LARGEST = 2**28
_HEAD = 2**16


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the line it begins in, what it says, and what is wrong with its form."""

    line: int
    values: Json
    problem: str = ""


def is_manifest(path: Path) -> bool:
    """Return whether a file is a manifest: YAML, or text with a column ``path``."""
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
    that are numbers become numbers, except in the columns `path`, `label`, `channel` and
    `bearing`, and empty ones None. A YAML manifest is a list of mappings.

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
        return files.read_bytes(path, _LARGEST).decode("utf-8-sig")
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
            # A table that faultdiag wrote marks what a spreadsheet would take for a formula.
            stripped = [from_cell(cell.strip()) for cell in cells]
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
        return Row(line, {}, f"it has {counted(len(cells), 'cell')}, the header {len(header)}")
    texts = {"path", "label", "channel", "bearing"}
    return Row(
        line,
        {
            name: (cell if name in texts else number_or_text(cell)) if cell else None
            for name, cell in zip(header, cells, strict=False)
        },
    )


def _from_yaml(path: Path, text: str) -> list[Row]:
    document = files.parse(text, f"the manifest {path}")
    if not isinstance(document, list):
        raise FaultdiagError(
            f"the manifest {path} is no list; write one entry for each recording, such as "
            "'- {path: a.mat, label: N}'"
        )
    rows = [_entry(value, line) for value, line in zip(document, _lines(text), strict=True)]
    empty = dict.fromkeys(name for row in rows for name in row.values)
    if rows and not any("path" in row.values for row in rows if not row.problem):
        raise FaultdiagError(
            f"the manifest {path} has no entry with a 'path'{did_you_mean('path', empty)}; "
            "write entries such as '- {path: a.mat, label: N}'"
        )
    return [Row(row.line, {**empty, **row.values}, row.problem) for row in rows]


def _lines(text: str) -> list[int]:
    """Return the line on which each entry of a YAML list begins, from 1 on."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    return [item.start_mark.line + 1 for item in node.value] if node else []


def _entry(value: object, line: int) -> Row:
    if not isinstance(value, dict):
        return Row(line, {}, f"it is {value!r}; write a mapping, such as {{path: a.mat, label: N}}")
    value = {name: _without_dates(entry) for name, entry in value.items()}
    plain = {name: v for name, v in value.items() if isinstance(v, str | int | float | None)}
    odd = [name for name in value if name not in plain and name != "channel"]
    if odd:
        return Row(line, {}, f"{odd[0]} is {value[odd[0]]!r}; write one number or text")
    return Row(line, {**value, "label": _label(value)} if "label" in value else dict(value))


def _without_dates(value: object) -> object:
    """Return text for values that YAML reads as dates."""
    return value.isoformat() if isinstance(value, date) else value


def _label(value: Json) -> str | None:
    label = value["label"]
    return None if label is None else str(label)


NAMES = tuple(f"manifest{suffix}" for suffix in SUFFIXES)
_MOST_TOLD = 20
_NO_FACTS = ("path", "channel")


class Manifest(OwnRecordings):
    """Recordings listed in a file: a row with a path, a label and other facts for each.

    The columns: ``path``, relative to the manifest; ``label``; ``sampling_rate`` in Hz and
    ``rpm``, used where the file states none; ``channel``, the file's own name of what
    ``data.channels`` asks for (several with commas between). Any other column is a fact, among
    them ``bearing``, a name of the catalogue or a geometry, for networks that see fault orders,
    and ``time``, in ISO 8601, for trends.

    Parameters
    ----------
    root
        The manifest, or the folder it lies in.
    file
        Its name in that folder; ``manifest.csv`` or the like unless given.
    recorded_at
        Sampling rate in Hz, where neither a file nor its row states one.
    rpm
        Shaft speed, likewise.
    override_rate
        Whether these, and the columns ``sampling_rate`` and ``rpm``, win over a file or a
        catalogue that states others, which is an error otherwise.
    """

    citation = "a list of the user's own recordings"

    def __init__(
        self,
        root: Path,
        *,
        file: Annotated[str, Field(strict=True, min_length=1)] | None = None,
        recorded_at: Positive | None = None,
        rpm: Positive | None = None,
        override_rate: Flag = False,
    ) -> None:
        super().__init__(root, recorded_at, rpm, override_rate)
        self._file = file

    @property
    def facts(self) -> Mapping[str, Sequence[object]]:
        """The facts that recordings can be selected by, with the values each one takes."""
        return values_of([entry.facts for entry in self._entries])

    def entries(self, select: Mapping[str, Sequence[object]]) -> Selection:
        """Return the selected recordings in the order of their rows; none is opened.

        Raises
        ------
        FaultdiagError
            If the manifest is missing or can't be read, or rows of it are wrong, all of them
            reported by their lines; if `select` names what is not there or leaves nothing.
        """
        return Selection(select_entries(self._entries, select))

    @cached_property
    def path(self) -> Path:
        """The manifest itself.

        Raises
        ------
        FaultdiagError
            If it is not there.
        """
        if self.root.is_file():
            if self._file is not None:
                raise FaultdiagError(
                    f"data.root {self.root} is the manifest itself, and data.file names "
                    f"{self._file} beside it; leave one of the two out"
                )
            return self.root
        names = NAMES if self._file is None else (self._file,)
        manifests = [self.root / name for name in names if (self.root / name).is_file()]
        if len(manifests) != 1:
            raise FaultdiagError(self._not_found(manifests))
        return manifests[0]

    def _place(self, row: "CheckedRow", name: str, otherwise: str) -> str:
        """Return where a rate or speed is written: in the row, or in the config."""
        if row.number(name) is None:
            return otherwise
        return f"{name} in line {row.row.line} of {self.path.name}"

    def _not_found(self, candidates: Sequence[Path]) -> str:
        if candidates:
            both = " and ".join(path.name for path in candidates)
            return f"{self.root} holds {both}; say with data.file which one is meant"
        if not self.root.is_dir():
            return f"{self.root} does not exist; name the manifest, or the folder it lies in"
        if self._file is None:
            return f"{self.root} holds no {' or '.join(NAMES)}; name the manifest with data.file"
        inside = [p.name for p in self.root.iterdir() if p.suffix.lower() in SUFFIXES]
        return f"{self.root / self._file} does not exist{did_you_mean(self._file, inside)}"

    @cached_property
    def _entries(self) -> list[Entry]:
        rows = read_rows(self.path)
        checked = [CheckedRow(self.path.parent, row) for row in rows]
        problems = _problems(checked)
        if problems:
            raise FaultdiagError(rows_error(self.path, problems))
        columns = dict.fromkeys(name for row in rows for name in row.values)
        facts = [name for name in columns if name not in _NO_FACTS]
        names = short_names([str(row.values["path"]) for row in rows])
        return [self._entry(*pair, facts) for pair in zip(checked, names, strict=True)]

    def _entry(self, row: "CheckedRow", name: str, facts: Sequence[str]) -> Entry:
        return Entry(
            path=row.recording,
            facts={fact: row.row.values.get(fact) for fact in facts},
            sampling_rate=row.number("sampling_rate") or self._recorded_at,
            rpm=row.number("rpm") or self._rpm,
            name=name,
            channels=row.channels,
            any_channel=True,
            rate_place=self._place(row, "sampling_rate", "data.recorded_at"),
            rpm_place=self._place(row, "rpm", "data.rpm"),
            override_rate=self._override_rate,
        )


@dataclass(frozen=True)
class CheckedRow:
    """A row of a manifest in a folder, and what is wrong with it."""

    folder: Path
    row: Row

    @cached_property
    def recording(self) -> Path:
        """The recording it names."""
        text = str(self.row.values.get("path"))
        path = self.folder / text
        # Written on Windows, read elsewhere.
        return path if path.exists() else self.folder / text.replace("\\", "/")

    @cached_property
    def channels(self) -> tuple[str, ...]:
        """The channels it names; none where it leaves them open."""
        given = self.row.values.get("channel")
        names = given if isinstance(given, list) else str(given or "").split(",")
        return tuple(name for name in (str(name).strip() for name in names) if name)

    def number(self, name: str) -> float | None:
        """Return the number in a column, or None where there is none."""
        value = self.row.values.get(name)
        return None if value is None else float(value)

    @property
    def time(self) -> datetime | None:
        """When it was recorded, by the column ``time`` in ISO 8601; None for another form."""
        return parse_time(self.row.values.get("time"))

    @property
    def bearing(self) -> str | None:
        """The known bearing or the geometry that it names; None where it names neither."""
        written = str(self.row.values.get("bearing") or "")
        if not written:
            return None  # as of most rows: no list of bearings is searched for the nearest name
        try:
            return bearing_text(written)
        except FaultdiagError:
            return None

    def problems(self) -> list[str]:
        """Return the problems that keep it from training."""
        if self.row.problem:
            return [self.row.problem]
        return [*self._about_path(), *self._about_label(), *self._about_numbers()]

    def problems_of_reading(self) -> list[str]:
        """Return the problems that keep its recording from being read, which needs no label."""
        if self.row.problem:
            return [self.row.problem]
        named = [] if self.row.values.get("path") is not None else ["path is empty"]
        return [*named, *self._about_numbers()]

    def _about_path(self) -> list[str]:
        given = self.row.values.get("path")
        if given is None:
            return ["path is empty"]
        if self.recording.is_file():
            suffix = self.recording.suffix
            ends = f"its suffix is '{suffix}'; files that can be read end in: {', '.join(READABLE)}"
            problem = several_in_zip(self.recording) or ends
            return [] if is_recording(self.recording) else [f"{given}: {problem}"]
        kind = "is a folder" if self.recording.is_dir() else "does not exist"
        return [f"{self.recording} {kind}"]

    def _about_label(self) -> list[str]:
        values = self.row.values
        empty = "label" in values and not str(values["label"] or "").strip()
        return ["label is empty; name the recording's class, or leave the row out"] if empty else []

    def _about_numbers(self) -> list[str]:
        values = {name: self.row.values.get(name) for name in ("sampling_rate", "rpm")}
        return [
            f"{name} is {value!r}; write a positive number, such as 12000 or 1797.5"
            for name, value in values.items()
            if value is not None
            and not (isinstance(value, int | float) and 0 < value < float("inf"))
        ]


def parse_time(value: object) -> datetime | None:
    """Return a time of ISO 8601 without its zone, in UTC if it has one; None for another form.

    Examples
    --------
    >>> parse_time("2025-04-01 12:30").isoformat(), parse_time("2025-04-01T12:30+02:00").isoformat()
    ('2025-04-01T12:30:00', '2025-04-01T10:30:00')
    >>> parse_time("3 May"), parse_time(1.5)
    (None, None)
    """
    try:
        time = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return time if time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)


def _problems(rows: Sequence[CheckedRow]) -> list[str]:
    """Return the problems of the rows, each by its line."""
    lines = []
    seen: dict[Path, int] = {}
    for row in rows:
        line = row.row.line
        problems = row.problems()
        if not problems:
            first = seen.setdefault(row.recording.resolve(), line)
            problems = [f"{row.row.values['path']} stands in line {first} too"]
            problems = [] if first == line else problems
        lines += [f"line {line}: {problem}" for problem in problems]
    return lines


def rows_error(path: Path, problems: Sequence[str]) -> str:
    """Return the message on invalid rows of a manifest."""
    many = f"{len(problems)} problems" if len(problems) > 1 else "a problem"
    more = [f"… and {len(problems) - _MOST_TOLD} more"] if len(problems) > _MOST_TOLD else []
    return f"the manifest {path} has {many}:\n  " + "\n  ".join([*problems[:_MOST_TOLD], *more])
