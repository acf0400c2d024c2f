"""Finding the recordings of a published set by their files' names or bytes."""

import csv
import filecmp
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from faultdiag.datasets.digest import sha256
from faultdiag.datasets.entry import Entry, Selection
from faultdiag.datasets.listing import find_recordings, some
from faultdiag.datasets.selection import select_entries, values_of
from faultdiag.errors import FaultdiagError


@dataclass(frozen=True, slots=True)
class KnownSet:
    """What is published of a set of recordings.

    Parameters
    ----------
    title
        What the set is called.
    name_of
        From a file's name without suffix to the recording's own name; None if it is none of it.
    facts_of
        The facts of the recording of that name.
    files
        Length in bytes and SHA-256 of the recordings of which they are known, by name.
    every
        The names of all recordings, in order; empty where nobody lists them.
    """

    title: str
    name_of: Callable[[str], str | None]
    facts_of: Callable[[str], Mapping[str, Any]]
    files: Mapping[str, tuple[int, str]]
    every: Sequence[str] = ()

    def identify(self, path: Path) -> Mapping[str, Any] | None:
        """Give the facts of a recording that is known by its bytes, or None.

        Raises
        ------
        FaultdiagError
            If the file can't be read.
        """
        name = self.recognise(path)
        return None if name is None else self.facts_of(name)

    def recognise(self, path: Path) -> str | None:
        """Give the name of the recording whose bytes a file holds, or None."""
        length = path.stat().st_size if path.is_file() else -1
        if length not in {known for known, _ in self.files.values()}:
            return None
        digest = sha256(path)
        return next((name for name, (_, known) in self.files.items() if known == digest), None)

    def possible(self) -> list[Mapping[str, Any]]:
        """Give the facts of all recordings that are published or of which the bytes are known."""
        return [self.facts_of(name) for name in self.every or self.files]


def known_facts(known: KnownSet) -> dict[str, tuple[Any, ...]]:
    """Give the facts of the set's recordings with the values each one takes."""
    return values_of(known.possible())


def select_known(known: KnownSet, root: Path, select: Mapping[str, Sequence[Any]]) -> Selection:
    """Give the selected recordings of a set that lie in a folder, in the order of their names.

    Raises
    ------
    FaultdiagError
        If the folder is missing or holds none of them, two different files claim one, a file's
        bytes are another recording's than its name says, or `select` leaves nothing.
    """
    paths, strangers = _locate(known, root)
    absent = [name for name in known.every if name not in paths]
    order = [name for name in known.every if name in paths] or sorted(paths)
    entries = [_entry(known, name, root / paths[name]) for name in order]
    lost = [_entry(known, name, root) for name in absent]
    chosen = select_entries([*entries, *lost], select)
    here = [entry for entry in chosen if entry.path != root]
    if not here:
        raise FaultdiagError(
            f"{root} holds none of the {len(chosen)} recordings of {known.title} selected: "
            f"{some(entry.name for entry in chosen)}; it holds: {some(order)}"
        )
    notes = [f"left out, being no known recordings of {known.title}: {some(strangers)}"]
    return Selection(
        entries=here,
        # What nobody asked for is not missing: many keep a part of a set.
        missing=[e.name for e in chosen if e.path == root] if select else [],
        notes=notes if strangers else [],
    )


def read_digests(table: Path) -> dict[str, dict[str, str]]:
    """Read a table of recordings by their names."""
    with table.open(encoding="utf-8", newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def digests_of(rows: Mapping[str, Mapping[str, str]]) -> dict[str, tuple[int, str]]:
    """Give length and SHA-256 of the recordings of which a table has them."""
    return {name: (int(row["bytes"]), row["sha256"]) for name, row in rows.items() if row["sha256"]}


def _entry(known: KnownSet, name: str, path: Path) -> Entry:
    facts = known.facts_of(name)
    rate = facts.get("sampling_rate")
    return Entry(
        path=path,
        facts=facts,
        sampling_rate=None if rate is None else float(rate),
        rpm=float(facts["rpm"]),
        name=name,
        any_channel=True,
    )


def _locate(known: KnownSet, root: Path) -> tuple[dict[str, str], list[str]]:
    """Give the file of each recording, and the files that are none."""
    claims: dict[str, list[str]] = {}
    strangers = []
    every = find_recordings(root, (".mat",))
    for path in every:
        name = known.name_of(PurePosixPath(path).stem) or known.recognise(root / path)
        if name is None:
            strangers.append(path)
        else:
            claims.setdefault(name, []).append(path)
    if not claims:
        raise FaultdiagError(f"{root} holds no recording of {known.title}; it holds: {some(every)}")
    problems = [
        problem for name in claims for problem in _contradictions(known, root, name, claims)
    ]
    if problems:
        raise FaultdiagError("\n".join(problems))
    return {name: paths[0] for name, paths in claims.items()}, strangers


def _contradictions(
    known: KnownSet, root: Path, name: str, claims: Mapping[str, Sequence[str]]
) -> Iterable[str]:
    first, *others = claims[name]
    for other in others:
        if not filecmp.cmp(root / first, root / other, shallow=False):
            yield (
                f"{known.title} {name} is claimed by {root / first} and by {root / other}, which "
                "differ; keep one of them"
            )
    own = known.recognise(root / first)
    if own is not None and own != name:
        yield (
            f"{root / first} is {known.title} {name} by its name, but its bytes are those of "
            f"{own}; give it that name"
        )
