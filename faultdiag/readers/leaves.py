"""Numeric leaves of structs within structs, by path, and the facts that lie nearest to each.

A data logger keeps a signal a few structs deep, its rate or step in a field beside it. The path of
a leaf names it: ``Y.vibration_1.Data``. Elements of a struct array go by the text in their field
``Name`` where that tells them apart, else by their number.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Protocol, runtime_checkable

from faultdiag.readers.base import key
from faultdiag.readers.source import MOST_ARRAYS, StoredArray

_DEEPEST = 8
_NAMES = ("name", "label", "title", "channel", "channelname", "signalname", "id")


@runtime_checkable
class HasElements(Protocol):
    """An array that may be a struct of several elements."""

    def elements(self) -> Sequence[Mapping[str, StoredArray]]:
        """Return the fields of each element."""


@runtime_checkable
class HasText(Protocol):
    """An array that may be text."""

    def text(self) -> str:
        """Return the text; empty for anything else."""


def leaves(arrays: Mapping[str, StoredArray]) -> dict[str, StoredArray]:
    """Return the arrays, and the fields of the structs among them, by path.

    Raises
    ------
    DamageError
        If a struct contradicts its format.
    """
    items = (item for name, array in arrays.items() for item in _below(name, array, 0))
    return dict(islice(items, MOST_ARRAYS))


def _below(path: str, array: StoredArray, depth: int) -> Iterator[tuple[str, StoredArray]]:
    rows = array.elements() if isinstance(array, HasElements) else [array.fields()]
    yield path, array
    if depth >= _DEEPEST:
        return
    for label, row in zip(_labels(rows), rows, strict=True):
        for name, inside in row.items():
            joint = "" if name.startswith("{") else "."
            yield from _below(f"{path}{label}{joint}{name}", inside, depth + 1)


def _labels(rows: Sequence[Mapping[str, StoredArray]]) -> list[str]:
    """Return labels by which the elements of a struct array differ."""
    if len(rows) < 2:
        return [""] * len(rows)
    texts = [_name(row) for row in rows]
    if all(texts) and len(set(texts)) == len(texts):
        return [f".{text}" for text in texts]
    return [f"({number})" for number in range(1, len(rows) + 1)]


def _name(row: Mapping[str, StoredArray]) -> str:
    by_key = {key(name): array for name, array in row.items()}
    texts = [by_key[name] for name in _NAMES if name in by_key]
    text = next((t.text() for t in texts if isinstance(t, HasText) and t.text()), "")
    return text if text.isprintable() else ""


def parts(path: str) -> list[str]:
    """Return the names in a path.

    Examples
    --------
    >>> parts("run/Y(2).Data"), parts("run/vib@fs")
    (['run', 'Y', '2', 'Data'], ['run', 'vib', 'fs'])
    """
    return [part for part in re.split(r"[./@(){}]+", path) if part]


def nearest(paths: Sequence[str], target: str | None) -> list[str]:
    """Return those of some paths that share most of their beginning with another one.

    Examples
    --------
    >>> nearest(["fs", "a.x.step", "b.x.step"], "b.y.values")
    ['b.x.step']
    """
    if target is None:
        return list(paths)
    shared = {path: _shared(parts(path), parts(target)) for path in paths}
    most = max(shared.values(), default=0)
    return [path for path in paths if shared[path] == most]


def _shared(first: Sequence[str], second: Sequence[str]) -> int:
    pairs = list(zip(first, second, strict=False))
    return next((i for i, (a, b) in enumerate(pairs) if a != b), len(pairs))


def short_paths(paths: Sequence[str]) -> dict[str, str]:
    """Return names in the middle of paths that tell one of them: ``vibration_1`` -> its path.

    Examples
    --------
    >>> short_paths(["Y.speed.Data", "Y.acc.Data"])
    {'speed': 'Y.speed.Data', 'acc': 'Y.acc.Data'}
    """
    middles = [(name, path) for path in paths for name in parts(path)[1:-1]]
    names = [name for name, _ in middles]
    return {n: path for n, path in middles if names.count(n) == 1 and n not in paths}
