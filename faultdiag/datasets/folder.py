"""A folder of one's own recordings, with facts from folders' and files' names."""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from faultdiag.datasets.base import (
    Entry,
    Flag,
    OwnRecordings,
    Positive,
    Selection,
    find_others,
    find_recordings,
    select_entries,
    short_names,
    some,
    values_of,
)
from faultdiag.datasets.facts import FilePattern, first_fit
from faultdiag.documents import Document, Json
from faultdiag.errors import FaultdiagError, counted
from faultdiag.readers.read import packages_left_out

_NUMBERS = ("sampling_rate", "rpm")


def _readable(pattern: str | list[str] | None) -> str | list[str] | None:
    try:
        _patterns(pattern)
    except FaultdiagError as error:
        raise ValueError(str(error)) from error
    return pattern


def _patterns(pattern: str | list[str] | None) -> list[FilePattern]:
    given = [pattern] if isinstance(pattern, str) else pattern
    return [FilePattern(text) for text in given or ()]


Patterns = Annotated[
    Annotated[str, Field(strict=True)] | list[Annotated[str, Field(strict=True)]] | None,
    AfterValidator(_readable),
]
Globs = Annotated[str, Field(strict=True)] | list[Annotated[str, Field(strict=True)]]


class Folder(OwnRecordings):
    """One's own recordings, labelled by the sub-folders they lie in or by their names.

    Without a pattern each sub-folder is a class: its name is the fact ``label``. With one, the
    facts are the pattern's fields (`FilePattern`); ``rpm``, ``sampling_rate`` and
    ``sampling_rate_khz`` among them are used as such. Where files name their channels in many
    ways, one that has as many as asked for is taken whatever they are called.

    Parameters
    ----------
    root
        The folder.
    pattern
        A pattern of the files' names, or several of which the first that fits counts.
    recorded_at
        Sampling rate in Hz, where neither a file nor its name states one.
    rpm
        Shaft speed, likewise.
    override_rate
        Whether these, and the rates and speeds of names, win over a file or a catalogue that
        states others, which is an error otherwise.
    glob
        Only files whose path in the folder fits one of these, such as ``"rig1/*"``.
    exclude
        No file whose path in the folder fits one of these.
    labelled
        False takes every file, whether its path says a class or not: for a target of transfer.
    """

    citation = "a folder of the user's own recordings"

    def __init__(
        self,
        root: Path,
        *,
        pattern: Patterns = None,
        recorded_at: Positive | None = None,
        rpm: Positive | None = None,
        override_rate: Flag = False,
        glob: Globs = "*",
        exclude: Globs | None = None,
        labelled: Flag = True,
    ) -> None:
        super().__init__(root, recorded_at, rpm, override_rate)
        self._patterns = _patterns(pattern)
        self._globs = [glob] if isinstance(glob, str) else glob
        self._exclude = [exclude] if isinstance(exclude, str) else exclude or []
        self._labelled = labelled

    @property
    def facts(self) -> Mapping[str, Sequence[object]]:
        """The facts that recordings can be selected by, with the values each one takes."""
        return values_of([facts for facts in self._rows.values() if facts is not None])

    def entries(self, select: Mapping[str, Sequence[object]]) -> Selection:
        """Return the selected recordings in the order of their paths; no file is opened.

        Raises
        ------
        FaultdiagError
            If the folder is missing or holds no recording, most of the files don't fit the
            pattern or lie in no sub-folder, a speed or rate in a name is no positive number, or
            `select` names what is not there or leaves nothing.
        """
        labelled = {path: facts for path, facts in self._rows.items() if facts is not None}
        strangers = [path for path, facts in self._rows.items() if facts is None]
        if len(strangers) >= len(labelled):
            raise FaultdiagError(self._unlabelled(strangers))
        _require_positive(self.root, labelled)
        names = short_names(list(labelled))
        every = [
            self._entry(path, facts, name)
            for (path, facts), name in zip(labelled.items(), names, strict=True)
        ]
        note = f"{self._strange(strangers)}, so left out: {some(strangers)}"
        notes = [note] if strangers else []
        return Selection(select_entries(every, select), notes=[*notes, *self._packages()])

    def _packages(self) -> list[str]:
        """Return notes that name the archives which `data.glob` and `data.exclude` allow."""
        others = filter(self._is_wanted, find_others(self.root, self._found))
        return packages_left_out(self.root, [self.root / path for path in others])

    def _is_wanted(self, path: str) -> bool:
        return _fits(path, self._globs) and not _fits(path, self._exclude)

    @cached_property
    def _found(self) -> list[str]:
        return find_recordings(self.root)

    @cached_property
    def _rows(self) -> dict[str, dict[str, object] | None]:
        """The facts of each file by its path; None where its name tells none."""
        paths = list(filter(self._is_wanted, self._found))
        if not paths:
            raise FaultdiagError(
                f"{self.root} has {counted(len(self._found), 'recording')}, and none is left by "
                f"data.glob {', '.join(self._globs)} and data.exclude "
                f"{', '.join(self._exclude) or 'nothing'}; they are: {some(self._found)}"
            )
        rows = {path: self._facts_of(path) for path in paths}
        return rows if self._labelled else {path: facts or {} for path, facts in rows.items()}

    def _facts_of(self, path: str) -> Json | None:
        if self._patterns:
            return _with_rate(first_fit(self._patterns, path))
        return {"label": path.partition("/")[0]} if "/" in path else None

    def _entry(self, path: str, facts: Document, name: str) -> Entry:
        rate, rpm = facts.get("sampling_rate"), facts.get("rpm")
        return Entry(
            path=self.root / path,
            facts=facts,
            sampling_rate=self._recorded_at if rate is None else float(rate),
            rpm=self._rpm if rpm is None else float(rpm),
            name=name,
            any_channel=True,
            rate_place="data.recorded_at" if rate is None else "the rate in its name",
            rpm_place="data.rpm" if rpm is None else "the speed in its name",
            override_rate=self._override_rate,
        )

    def _strange(self, paths: Sequence[str]) -> str:
        share = f"{len(paths)} of {counted(len(self._rows), 'file')}"
        if self._patterns:
            patterns = " or ".join(f"'{pattern}'" for pattern in self._patterns)
            return f"{share} don't fit data.pattern {patterns}"
        return f"{share} lie in no sub-folder"

    def _unlabelled(self, strangers: Sequence[str]) -> str:
        remedy = (
            "change the pattern, or leave files out with data.exclude"
            if self._patterns
            else "give each class a sub-folder, say with data.pattern what files' names mean "
            "(such as '{fault}_{rpm}'), or list the recordings in a manifest"
        )
        return f"{self.root}: {self._strange(strangers)}: {some(strangers)}; {remedy}"


def _with_rate(facts: Json | None) -> Json | None:
    """Return facts with the sampling rate in Hz where a name has it in kHz."""
    rate = (facts or {}).get("sampling_rate_khz")
    if facts is None or not isinstance(rate, int | float):
        return facts
    return {**facts, "sampling_rate": 1000 * rate}


def _fits(path: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(path, glob) for glob in globs)


def _require_positive(root: Path, rows: Mapping[str, Mapping[str, object]]) -> None:
    for name in _NUMBERS:
        wrong = {
            path: facts[name]
            for path, facts in rows.items()
            if facts.get(name) is not None and not _is_positive(facts[name])
        }
        if wrong:
            path, value = next(iter(wrong.items()))
            raise FaultdiagError(
                f"{root}: data.pattern makes {value!r} the {name} of {path}, and so for "
                f"{len(wrong)} of {counted(len(rows), 'file')}; a positive number is needed: "
                "name the field "
                f"otherwise, or write what surrounds the number, as in '{{{name}:int}}Hz'"
            )


def _is_positive(value: object) -> bool:
    try:
        return float(str(value)) > 0
    except ValueError:
        return False
