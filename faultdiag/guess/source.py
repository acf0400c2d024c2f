"""Which dataset a folder is: one of the published sets, a simulation, or one's own recordings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from faultdiag.datasets import cwru_catalogue, identify_by_name, mfpt, uestc
from faultdiag.datasets.cwru import Cwru
from faultdiag.datasets.known_files import KnownSet
from faultdiag.datasets.listing import find_recordings
from faultdiag.datasets.manifest import NAMES
from faultdiag.datasets.manifest_rows import SUFFIXES as MANIFESTS
from faultdiag.errors import FaultdiagError
from faultdiag.guess.labels import guess_labels
from faultdiag.readers import list_variables
from faultdiag.simulation import MARK, simulated_files

# So many files are opened to tell a published set.
_MOST_OPENED = 24
_MOST_MANIFESTS = 50


@dataclass(frozen=True, slots=True)
class Source:
    """A dataset with its root, its options and the recordings to take, and why.

    ``label`` is empty where the dataset's own is meant.
    """

    dataset: str
    root: Path
    reason: str
    options: dict[str, Any] = field(default_factory=dict)
    select: dict[str, list[Any]] = field(default_factory=dict)
    select_reason: str = ""
    label: str = ""
    label_reason: str = ""


def find_source(root: Path) -> Source:
    """Give what a folder, or a manifest, most likely is.

    Raises
    ------
    FaultdiagError
        If there is no recording, or nothing tells two classes.
    """
    if root.is_file() and root.suffix.lower() in MANIFESTS:
        return Source("manifest", root, "it is a list of recordings")
    if root.is_dir() and simulated_files(root) is not None:
        return Source("synthetic", root, f"it holds the {MARK} of `faultdiag simulate`")
    if listed := _manifest(root):
        return listed
    paths = find_recordings(root)
    return _published(root, paths) or _own(root, paths)


def _manifest(root: Path) -> Source | None:
    inside = sorted(root.iterdir()) if root.is_dir() else []
    tables = [p for p in inside if p.suffix.lower() in MANIFESTS and p.is_file()]
    for path in sorted(tables, key=lambda p: p.name not in NAMES)[:_MOST_MANIFESTS]:
        usual = path.name in NAMES
        if usual or _lists_paths(path):
            options = {} if usual else {"file": path.name}
            return Source("manifest", root, f"its file {path.name} lists recordings", options)
    return None


def _lists_paths(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            header = file.readline(4096)
    except OSError:
        return False
    cells = header.replace(";", ",").replace("\t", ",").split(",")
    return path.suffix.lower() in {".csv", ".tsv"} and "path" in {
        c.strip().strip('"') for c in cells
    }


def _published(root: Path, paths: Sequence[str]) -> Source | None:
    step = -(-len(paths) // _MOST_OPENED)
    sample = list(islice(paths, 0, None, step))
    tests: dict[str, Callable[[Path], bool]] = {
        "cwru": _is_cwru,
        "mfpt": lambda path: _is_of(mfpt.known(), path, {"bearing"}),
        "uestc": lambda path: _is_of(uestc.known(), path, {"Data", "SampleFrequency"}),
    }
    for name, test in tests.items():
        count = sum(test(root / path) for path in sample)
        if 2 * count > len(sample):
            reason = f"{count} of the {len(sample)} files looked at are recordings of it"
            reason += ", by their bytes or by their names and variables"
            return _cwru(root, reason) if name == "cwru" else Source(name, root, reason)
    return None


def _is_cwru(path: Path) -> bool:
    known = cwru_catalogue.recognise(path)
    return known is not None or identify_by_name(path, _variables(path)) is not None


def _is_of(known: KnownSet, path: Path, variables: set[str]) -> bool:
    if known.recognise(path) is not None:
        return True
    stem = PurePosixPath(path.name).stem
    return known.name_of(stem) is not None and variables <= set(_variables(path))


def _variables(path: Path) -> list[str]:
    try:
        return [variable.name for variable in list_variables(path)]
    except FaultdiagError:
        return []


def _cwru(root: Path, reason: str) -> Source:
    """Give the recordings of one end at one rate, with the sizes that every fault has."""
    rows = [entry.facts for entry in Cwru(root).entries({}).entries]
    faulty = [row for row in rows if row["group"] != "normal"]
    groups = [row["group"] for row in faulty]
    group = max(groups, key=groups.count) if groups else "normal"
    taken = [row for row in faulty if row["group"] == group]
    select: dict[str, list[Any]] = {
        "group": [*({"normal"} & {row["group"] for row in rows}), group],
        "size": [None, *_sizes(taken)],
    }
    clocks = {row["clock"] for row in taken if row["clock"] is not None}
    if 6 in clocks:
        select["clock"] = [None, 6]
    why = (
        f"{group} is the largest group of faults here; with the healthy recordings, and the "
        "sizes that every fault has"
    )
    return Source("cwru", root, reason, select=select, select_reason=why)


def _sizes(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    faults = {row["fault"] for row in rows}
    sizes = sorted({row["size"] for row in rows})
    having = {size: {row["fault"] for row in rows if row["size"] == size} for size in sizes}
    return [size for size in sizes if having[size] == faults] or sizes


def _own(root: Path, paths: Sequence[str]) -> Source:
    found = guess_labels(root, paths)
    reason = f"{len(paths)} recordings of no published set that is known here"
    return Source(
        "folder",
        root,
        reason,
        options=found.options,
        label=found.label,
        label_reason="; ".join(found.reasons),
    )
