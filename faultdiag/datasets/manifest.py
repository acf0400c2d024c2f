"""A list of one's own recordings with their facts, in a CSV or YAML file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from faultdiag.datasets.entry import Entry, Selection
from faultdiag.datasets.listing import short_names
from faultdiag.datasets.manifest_rows import SUFFIXES, Row, read_rows
from faultdiag.datasets.options import Positive
from faultdiag.datasets.selection import select_entries, values_of
from faultdiag.errors import FaultdiagError, did_you_mean
from faultdiag.readers import SUFFIXES as READABLE

NAMES = tuple(f"manifest{suffix}" for suffix in SUFFIXES)
_MOST_TOLD = 20
_NO_FACTS = ("path", "channel")


class Manifest:
    """Recordings listed in a file: a row with a path, a label and whatever else is known.

    The columns: ``path``, relative to the manifest; ``label``; ``sampling_rate`` in Hz and
    ``rpm``, used where the file states none; ``channel``, the file's own name of what
    ``data.channels`` asks for (several with commas between). Any other column is a fact.

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
    """

    licence = "that of the recordings, which are the user's own"
    citation = "a list of the user's own recordings"
    label = "{label}"

    def __init__(
        self,
        root: Path,
        *,
        file: Annotated[str, Field(strict=True, min_length=1)] | None = None,
        recorded_at: Positive | None = None,
        rpm: Positive | None = None,
    ) -> None:
        self.root = Path(root)
        self._file = file
        self._recorded_at = recorded_at
        self._rpm = rpm

    @property
    def facts(self) -> Mapping[str, Sequence[Any]]:
        """The facts that recordings can be selected by, with the values each one takes."""
        return values_of([entry.facts for entry in self._entries])

    def entries(self, select: Mapping[str, Sequence[Any]]) -> Selection:
        """Give the selected recordings in the order of their rows; none is opened.

        Raises
        ------
        FaultdiagError
            If the manifest is missing or can't be read, or rows of it are wrong, all of them
            told by their lines; if `select` names what is not there or leaves nothing.
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
        found = [self.root / name for name in names if (self.root / name).is_file()]
        if len(found) != 1:
            raise FaultdiagError(self._not_found(found))
        return found[0]

    def _not_found(self, found: Sequence[Path]) -> str:
        if found:
            both = " and ".join(path.name for path in found)
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
        columns = list(dict.fromkeys(name for row in rows for name in row.values))
        checked = [CheckedRow(self.path.parent, row) for row in rows]
        problems = _problems(checked)
        if problems:
            raise FaultdiagError(told(self.path, problems))
        names = short_names([str(row.values["path"]) for row in rows])
        facts = [name for name in columns if name not in _NO_FACTS]
        return [
            Entry(
                path=row.recording,
                facts={fact: row.row.values.get(fact) for fact in facts},
                sampling_rate=row.number("sampling_rate") or self._recorded_at,
                rpm=row.number("rpm") or self._rpm,
                name=name,
                channels=row.channels,
                any_channel=True,
            )
            for row, name in zip(checked, names, strict=True)
        ]


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
        """Give the number in a column, or None where there is none."""
        value = self.row.values.get(name)
        return None if value is None else float(value)

    def problems(self) -> list[str]:
        """Say what is in the way of training with it."""
        if self.row.problem:
            return [self.row.problem]
        return [*self._about_path(), *self._about_label(), *self._about_numbers()]

    def problems_of_reading(self) -> list[str]:
        """Say what is in the way of trying to read its recording, which needs no label."""
        if self.row.problem:
            return [self.row.problem]
        named = [] if self.row.values.get("path") is not None else ["path is empty"]
        return [*named, *self._about_numbers()]

    def _about_path(self) -> list[str]:
        given = self.row.values.get("path")
        if given is None:
            return ["path is empty"]
        if self.recording.is_file():
            found = self.recording.suffix
            ends = f"its suffix is '{found}'; files that can be read end in: {', '.join(READABLE)}"
            return [] if found.lower() in READABLE else [f"{given}: {ends}"]
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


def _problems(rows: Sequence[CheckedRow]) -> list[str]:
    """Give what is wrong with the rows, each by its line."""
    found = []
    seen: dict[Path, int] = {}
    for row in rows:
        line = row.row.line
        problems = row.problems()
        if not problems:
            first = seen.setdefault(row.recording.resolve(), line)
            problems = [f"{row.row.values['path']} stands in line {first} too"]
            problems = [] if first == line else problems
        found += [f"line {line}: {problem}" for problem in problems]
    return found


def told(path: Path, problems: Sequence[str]) -> str:
    """Give the message that tells what is wrong with the rows of a manifest."""
    many = f"{len(problems)} problems" if len(problems) > 1 else "a problem"
    more = [f"… and {len(problems) - _MOST_TOLD} more"] if len(problems) > _MOST_TOLD else []
    return f"the manifest {path} has {many}:\n  " + "\n  ".join([*problems[:_MOST_TOLD], *more])
