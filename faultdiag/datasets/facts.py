"""Facts of files: from their names, their bytes, the data set that they belong to."""

import csv
import filecmp
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from string import Formatter
from typing import Any

from faultdiag.datasets.base import Entry, Selection, find_recordings, sha256, some
from faultdiag.datasets.selection import select_entries, values_of
from faultdiag.errors import FaultdiagError, unknown
from faultdiag.readers.read import SUFFIXES

# Possessive where a neighbour could take over half of a number or a word.
CONVERTERS = {
    "": r"[^/_\-\s]+?",
    "alpha": r"[^\W\d_]++",
    "int": r"[-+]?[0-9]++",
    "float": r"[-+]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)",
    "word": r"\w+?",
    "any": r"[^/]+?",
}
# Fields of these end by themselves; two others need text between them.
_BOUNDED = frozenset({"alpha", "int", "float"})
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")
_BROKEN = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+")
_WRITE = "write fields in braces, as in '{fault}_{rpm}' or '{fault:alpha}{size}_{rpm}'"


class FilePattern:
    r"""A file-name pattern such as ``{fault:alpha}{size}_{rpm}.mat``.

    Text outside braces stands for itself. A field takes text without ``/``, ``_``, ``-`` and
    spaces; a converter behind a colon makes that narrower or wider: ``alpha`` letters, ``int``
    and ``float`` numbers, ``word`` letters, digits and ``_``, ``any`` everything but ``/``.
    What is a number becomes one, except with leading zeros: ``007`` stays text (with ``int``
    and ``float`` it is a number all the same). A pattern is held against the file's name; one
    with a ``/`` against the folders too, as many as it names. The suffix may be left out.

    Parameters
    ----------
    text
        The pattern.

    Raises
    ------
    FaultdiagError
        If it has no field, a field without a name or twice, a converter that is none, two
        fields that nothing tells apart, or a brace too many.

    Examples
    --------
    >>> FilePattern("{fault:alpha}{size}_{rpm}").facts("rig 1/IR007_1797.mat")
    {'fault': 'IR', 'size': '007', 'rpm': 1797}
    >>> FilePattern("{machine}/{fault}_{rpm}.mat").facts("other/IR.mat")
    >>> FilePattern("{label}/{file:any}").facts("rig/inner/day 1_2.mat")
    {'label': 'inner', 'file': 'day 1_2'}
    """

    def __init__(self, text: str) -> None:
        self.text = text
        parts = _parse(text)
        self.fields = {name: converter for _, name, converter in parts if name}
        self._depth = text.count("/") + 1
        suffix = PurePosixPath(text).suffix.lower()
        ending = "" if suffix in SUFFIXES else f"(?:{'|'.join(map(re.escape, SUFFIXES))})"
        pieces = (
            re.escape(literal) + (f"(?P<{name}>{CONVERTERS[converter]})" if name else "")
            for literal, name, converter in parts
        )
        self._regex = re.compile("".join(pieces) + f"(?i:{ending})")

    def facts(self, path: str) -> dict[str, Any] | None:
        """Give the facts in a path relative to the folder, or None if it doesn't fit."""
        match = self._regex.fullmatch("/".join(path.split("/")[-self._depth :]))
        if match is None:
            return None
        return {name: _value(match[name], converter) for name, converter in self.fields.items()}

    def __str__(self) -> str:
        """Give the pattern as it was written."""
        return self.text


def first_fit(patterns: Sequence[FilePattern], path: str) -> dict[str, Any] | None:
    """Give the facts by the first pattern that a path fits, those of the others being None."""
    found = next((facts for p in patterns if (facts := p.facts(path)) is not None), None)
    if found is None:
        return None
    return {name: found.get(name) for pattern in patterns for name in pattern.fields}


def number_or_text(text: str) -> int | float | str:
    """Give a number for text that is one, the text itself where it has leading zeros.

    Examples
    --------
    >>> [number_or_text(text) for text in ("900", "0.5", "-3", "007", "1e3", "nan", "IR")]
    [900, 0.5, -3, '007', '1e3', 'nan', 'IR']
    """
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _BROKEN.fullmatch(text) else text


def _value(text: str, converter: str) -> int | float | str:
    if converter == "int":
        return int(text)
    if converter == "float":
        return float(text)
    return text if converter == "alpha" else number_or_text(text)


def _parse(text: str) -> list[tuple[str, str, str]]:
    """Give (literal, field, converter) in order; a literal at the end has no field."""
    try:
        parsed = list(Formatter().parse(text))
    except ValueError as error:
        raise FaultdiagError(f"{text!r} can't be read ({error}); {_WRITE}") from error
    for literal, name, _, conversion in parsed:
        if name is not None and (conversion or not name.isidentifier()):
            shown = f"{{{name}{'!' + conversion if conversion else ''}}}"
            raise FaultdiagError(
                f"{text!r} has the field {shown}; a field's name is letters, digits and '_', "
                "and a letter comes first"
            )
        if "\\" in literal:
            raise FaultdiagError(f"{text!r} has a backslash; write '/' between folders")
    parts = [(literal, name or "", spec or "") for literal, name, spec, _ in parsed]
    _require_fields(text, parts)
    return parts


def _require_fields(text: str, parts: Iterable[tuple[str, str, str]]) -> None:
    seen: dict[str, str] = {}
    previous = ""
    for literal, name, converter in parts:
        if not name:
            continue
        if converter not in CONVERTERS:
            known = [known for known in CONVERTERS if known]
            raise FaultdiagError(
                f"{text!r}, field '{name}': {unknown('converter', converter, known)}"
            )
        if name in seen:
            raise FaultdiagError(f"{text!r} has the field '{name}' twice; give each its own name")
        if previous and not literal and _unbounded(seen[previous], converter):
            raise FaultdiagError(
                f"{text!r}: nothing tells where '{previous}' ends and '{name}' begins; give one "
                "of them a converter, such as {fault:alpha}{size}"
            )
        seen[name] = converter
        previous = name
    if not seen:
        raise FaultdiagError(f"{text!r} has no field; {_WRITE}")


def _unbounded(first: str, second: str) -> bool:
    return first == second or not {first, second} & _BOUNDED


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
    variables
        What every file of the set holds; with a name of the set they tell a changed copy.
    """

    title: str
    name_of: Callable[[str], str | None]
    facts_of: Callable[[str], Mapping[str, Any]]
    files: Mapping[str, tuple[int, str]]
    every: Sequence[str] = ()
    variables: frozenset[str] = frozenset()

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
