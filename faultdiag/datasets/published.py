"""Published sets of recordings: what each publisher documents, as data.

A set is one module with a `PublishedSet`, a class made of it, a row in `DATASETS` and, where
digests of its files are known, a table ``<set>.csv`` beside the module.
"""

import csv
import filecmp
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import ClassVar, TypeAlias

from faultdiag.datasets.base import (
    Entry,
    Positive,
    Selection,
    find_recordings,
    select_entries,
    sha256,
    some,
    values_of,
)
from faultdiag.documents import Document
from faultdiag.errors import FaultdiagError, counted

Facts: TypeAlias = Document

# The most folders that the path of a recording has in any set.
_DEEPEST = 3
ARCHIVES = (".zip", ".rar", ".7z", ".tgz")
"""Suffixes of files that hold recordings; they are fetched, not read."""

CODES = {
    "normal": "N",
    "inner": "IR",
    "outer": "OR",
    "ball": "B",
    "cage": "C",
}
"""Faulty part -> the code that all sets use for it; parts together are joined by ``+``."""


def code_of(fault: str) -> str:
    """Return the code of a fault in words.

    Examples
    --------
    >>> code_of("inner+outer"), code_of("normal")
    ('IR+OR', 'N')
    """
    return "+".join(CODES[part] for part in fault.split("+"))


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file that a set is distributed in.

    Parameters
    ----------
    file
        Its path in the publisher's folder.
    length, sha256
        Number and digest of its bytes.
    url
        A public address; empty where none is known.
    """

    file: str
    length: int
    sha256: str
    url: str

    @property
    def is_archive(self) -> bool:
        """Whether recordings must be unpacked from it."""
        return self.file.lower().endswith(ARCHIVES)


@cache
def read_files(name: str) -> tuple[PublishedFile, ...]:
    """Read the table of a set's files, ``<name>.csv`` beside this module."""
    with Path(__file__).with_name(f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            PublishedFile(row["file"], int(row["bytes"]), row["sha256"], row["url"])
            for row in csv.DictReader(file)
        )


def _no_columns(_: Facts) -> Mapping[str, int]:
    return {}


def _equal_rank(_: str) -> int:
    return 0


@dataclass(frozen=True, slots=True)
class PublishedSet:
    """The documentation of a set of recordings.

    A recording is known by the path of its file relative to the folder, without suffix, or by
    the SHA-256 of the file. Its facts include ``name``, which is unique in the set.

    Parameters
    ----------
    title
        What the set is called.
    licence, citation
        As the publisher states them.
    source
        Where the set can be obtained, as a sentence.
    parse
        From a path to the facts of the recordings in the file; none if it is not in this set. A
        file of several bearings holds several recordings.
    paths
        Paths of all recordings as published; of a few typical ones where `complete` is false.
    complete
        Whether `paths` are all of them.
    label
        Pattern of the classes, unless the config has one.
    files
        The files of the distribution whose digests are known.
    suffixes
        Suffixes of the recordings' files; ``("",)`` takes any file.
    columns
        From a recording's facts to its channels: documented name -> index among the file's
        channels, from the end if negative. Empty where the file names its channels itself.
    variables
        What every file of the set holds; with a name of the set they identify a changed copy.
    rank
        From a path with suffix to a number; of several files of one recording the lowest is read.
    rpm_of
        Reads the shaft speed from a file that keeps it in a way of its own.
    damaged
        Name -> what is wrong with a recording as published; it is left out.
    notes
        What users of the set must know.
    """

    title: str
    licence: str
    citation: str
    source: str
    parse: Callable[[str], Sequence[Facts]]
    paths: Callable[[], Iterable[str]]
    complete: bool = True
    label: str = "{code}"
    files: Sequence[PublishedFile] = ()
    suffixes: tuple[str, ...] = (".mat",)
    columns: Callable[[Facts], Mapping[str, int]] = _no_columns
    variables: frozenset[str] = frozenset()
    rank: Callable[[str], int] = _equal_rank
    rpm_of: Callable[[Path], float | None] | None = None
    damaged: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def documented(self) -> list[Facts]:
        """Return the facts of the recordings in `paths`."""
        return [facts for path in self.paths() for facts in self.parse(path)]

    def by_name(self, stem: str) -> Facts | None:
        """Return the facts that a file's name without suffix gives alone, or None."""
        rows = self.parse(stem)
        return rows[0] if len(rows) == 1 else None

    def identify(self, path: Path) -> Facts | None:
        """Return the facts of a recording that is known by its bytes, or None.

        Raises
        ------
        FaultdiagError
            If the file can't be read.
        """
        known = self.recognise(path)
        rows = [] if known is None else self.parse(known)
        return rows[0] if len(rows) == 1 else None

    def recognise(self, path: Path) -> str | None:
        """Return the published path, without suffix, of the recording whose bytes a file holds.

        The file is hashed only if its length is that of a known recording.

        Raises
        ------
        FaultdiagError
            If the file can't be read.
        """
        length = path.stat().st_size if path.is_file() else -1
        alike = [f for f in self.files if f.length == length and not f.is_archive]
        if not alike:
            return None
        digest = sha256(path)
        return next((without_suffix(f.file) for f in alike if f.sha256 == digest), None)


def without_suffix(path: str) -> str:
    """Return a path without the suffix of a file.

    Examples
    --------
    >>> without_suffix("KA01/N15_M07_F10_KA01_1.mat"), without_suffix("normal/12.288")
    ('KA01/N15_M07_F10_KA01_1', 'normal/12.288')
    """
    return re.sub(r"\.[A-Za-z][A-Za-z0-9]*$", "", path)


class PublishedDataset:
    """The recordings of a published set that are in a folder.

    Parameters
    ----------
    root
        The folder, or any folder in it.
    """

    published: ClassVar[PublishedSet]
    licence: ClassVar[str]
    citation: ClassVar[str]
    label: ClassVar[str]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "published" in vars(cls):
            known = cls.published
            cls.licence, cls.citation, cls.label = known.licence, known.citation, known.label

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    @property
    def facts(self) -> Mapping[str, Sequence[object]]:
        """The facts that recordings can be selected by, with the documented values of each."""
        rows = [self._labelled(facts) for facts in self.published.documented()]
        return values_of([row for row in rows if row is not None])

    def entries(self, select: Mapping[str, Sequence[object]]) -> Selection:
        """Return the selected recordings, as documented and then in the order of their names.

        Raises
        ------
        FaultdiagError
            If the folder is missing or holds none of them, two different files claim one, a file's
            bytes are another recording's than its name says, or `select` leaves nothing.
        """
        known = self.published
        claims, strangers = self._claims()
        notes = [*known.notes]
        if strangers:
            notes.append(f"left out, being no known recordings of {known.title}: {some(strangers)}")
        here, unused = self._entries(claims, notes)
        chosen = select_entries([*here, *self._lost(claims)], select)
        present = [entry for entry in chosen if entry.path != self.root]
        if not present:
            raise self._none_selected(chosen, [entry.name for entry in here] or unused)
        return Selection(
            entries=present,
            # What nobody asked for is not missing: many keep a part of a set.
            missing=[e.name for e in chosen if e.path == self.root] if select else [],
            notes=notes,
        )

    def _none_selected(self, chosen: Sequence[Entry], present: Iterable[str]) -> FaultdiagError:
        return FaultdiagError(
            f"{self.root} holds none of the {counted(len(chosen), 'recording')} of "
            f"{self.published.title} selected: {some(entry.name for entry in chosen)}; it holds: "
            f"{some(present)}"
        )

    def _labelled(self, facts: Facts) -> Facts | None:
        """Return the facts with those that options decide, or None to leave the recording out."""
        return facts

    def _claims(self) -> tuple[dict[str, list[str]], list[str]]:
        """Return the files of each published path, and the files that are not in this set."""
        known = self.published
        claims: dict[str, list[str]] = {}
        strangers = []
        every = find_recordings(self.root, known.suffixes)
        for path in every:
            full = self._whole(path)
            rows = known.parse(full)
            own = full if rows else known.recognise(self.root / path)
            if own is None:
                strangers.append(path)
                continue
            # All recordings of a file have its first one's place.
            claims.setdefault(known.parse(own)[0]["name"], []).append(path)
        if not claims:
            raise FaultdiagError(
                f"{self.root} holds no recording of {known.title}; it holds: {some(every)}"
            )
        problems = [p for name in claims for p in self._contradictions(name, claims[name])]
        if problems:
            raise FaultdiagError("\n".join(problems))
        return claims, strangers

    def _whole(self, path: str) -> str:
        """Return a path without suffix and with the folders that the root itself is in."""
        return "/".join([*self.root.resolve().parts[-_DEEPEST:], without_suffix(path)])

    def _contradictions(self, name: str, paths: Sequence[str]) -> Iterable[str]:
        known = self.published
        best = min(map(known.rank, paths))
        first, *others = sorted(path for path in paths if known.rank(path) == best)
        for other in others:
            if not filecmp.cmp(self.root / first, self.root / other, shallow=False):
                yield (
                    f"{known.title} {name} is claimed by {self.root / first} and by "
                    f"{self.root / other}, which differ; keep one of them"
                )
        own = known.recognise(self.root / first)
        if own is not None and (real := known.parse(own)[0]["name"]) != name:
            yield (
                f"{self.root / first} is {known.title} {name} by its name, but its bytes are those "
                f"of {real}; give it that name"
            )

    def _entries(
        self, claims: Mapping[str, Sequence[str]], notes: list[str]
    ) -> tuple[list[Entry], list[str]]:
        """Return the entries of the files, and the names of those left out; `notes` say why."""
        known = self.published
        entries: list[Entry] = []
        damaged, unused = [], []
        places = {facts["name"]: i for i, facts in enumerate(known.documented())}
        for name in sorted(claims, key=lambda n: (places.get(n, len(places)), _natural(n))):
            path = min(claims[name], key=lambda path: (known.rank(path), path))
            for facts in self._facts(path):
                labelled = self._labelled(facts)
                if facts["name"] in known.damaged:
                    damaged.append(f"{facts['name']} ({known.damaged[facts['name']]})")
                elif labelled is None:
                    unused.append(facts["name"])
                else:
                    entries.append(_entry(known, labelled, self.root / path))
        if damaged:
            notes.append(f"left out, damaged as published: {some(damaged)}")
        if unused:
            notes.append(self._unused(unused))
        return entries, unused

    def _unused(self, names: Sequence[str]) -> str:
        return f"left out: {some(names)}"

    def _facts(self, path: str) -> Sequence[Facts]:
        rows = self.published.parse(self._whole(path))
        known = None if rows else self.published.recognise(self.root / path)
        return rows if known is None else self.published.parse(known)

    def _lost(self, claims: Mapping[str, Sequence[str]]) -> list[Entry]:
        """Return documented recordings that the folder lacks, with the folder as their path."""
        if not self.published.complete:
            return []
        rows = [self._labelled(facts) for facts in self.published.documented()]
        return [
            _entry(self.published, facts, self.root)
            for facts in rows
            if facts is not None and facts["name"] not in claims
        ]


def _entry(known: PublishedSet, facts: Facts, path: Path) -> Entry:
    rpm = facts.get("rpm")
    if known.rpm_of is not None and path.is_file():
        rpm = known.rpm_of(path)
    rate = facts.get("sampling_rate")
    columns = known.columns(facts)
    return Entry(
        path=path,
        facts=facts,
        sampling_rate=None if rate is None else float(rate),
        rpm=None if rpm is None else float(rpm),
        name=str(facts["name"]),
        any_channel=not columns,
        columns=columns,
    )


def _natural(name: str) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


class RunToFailure(PublishedDataset):
    """Bearings that were run until they failed, with a snapshot at regular times.

    Nobody knows when a fault began. So only the ends of a life are labelled: the first share of
    its snapshots as healthy (code N), the last one by the part that the publisher found broken.
    What is between is left out, and so is the last share of bearings that did not break. The
    shares are choices of the user, not facts.

    Parameters
    ----------
    root
        The folder, or any folder in it.
    healthy, failing
        Shares of a bearing's life at its beginning and its end.
    """

    def __init__(self, root: Path, *, healthy: Positive = 0.2, failing: Positive = 0.1) -> None:
        super().__init__(root)
        if healthy + failing > 1:
            raise FaultdiagError(
                f"data.healthy is {healthy:g} and data.failing {failing:g} of a life, together "
                "more than all of it; their sum may be at most 1"
            )
        self._healthy = healthy
        self._failing = failing

    def _labelled(self, facts: Facts) -> Facts | None:
        if facts["life"] <= self._healthy:
            return {**facts, "fault": "normal", "code": "N"}
        if facts["life"] > 1 - self._failing and facts["failure"] is not None:
            return {**facts, "fault": facts["failure"], "code": facts["failure_code"]}
        return None

    def _unused(self, names: Sequence[str]) -> str:
        return (
            f"{len(names)} snapshots are in neither the first {self._healthy:.0%} nor the last "
            f"{self._failing:.0%} of the life of a bearing that broke, so left out: {some(names)}; "
            "data.healthy and data.failing change that"
        )
