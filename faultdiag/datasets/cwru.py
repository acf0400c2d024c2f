"""The recordings of the Case Western Reserve University Bearing Data Center."""

import csv
import filecmp
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

from faultdiag.datasets.base import Entry, Flag, Selection, choose, git_blob_sha1, values_of
from faultdiag.documents import Document
from faultdiag.errors import FaultdiagError, counted

_NUMBERS = ("number", "clock", "load_hp", "rpm", "sampling_rate")
_TEXTS = ("group", "end", "fault", "code", "size", "bearing")
FACTS = (
    *("number", "group", "end", "fault", "code", "size", "clock"),
    *("load_hp", "rpm", "sampling_rate", "bearing", "specimen"),
)


@dataclass(frozen=True, slots=True)
class Known:
    """A recording of the catalogue: its facts, its length in bytes and its digests."""

    facts: Document
    bytes: int
    sha256: str
    git_blob_sha1: str

    @property
    def number(self) -> int:
        """Its number at the Bearing Data Center."""
        return int(self.facts["number"])

    def __str__(self) -> str:
        """Return number, group, fault and load: ``144 (12k_DE, OR007@3, 0 hp)``."""
        facts = self.facts
        clock = f"@{facts['clock']}" if facts["clock"] else ""
        fault = f" {facts['code']}{facts['size']}{clock}," if facts["size"] else ""
        return f"{self.number} ({facts['group']},{fault} {facts['load_hp']} hp)"


@cache
def catalogue() -> Mapping[int, Known]:
    """Return all recordings by number, in the order of the numbers."""
    with Path(__file__).with_name("cwru.csv").open(encoding="utf-8", newline="") as file:
        known = [_known(row) for row in csv.DictReader(file)]
    return {row.number: row for row in sorted(known, key=lambda row: row.number)}


def identify(path: Path) -> Document | None:
    """Return the facts of a recording from its bytes alone, whatever the file is called.

    The file is only hashed if its length is one that a recording has.

    Raises
    ------
    FaultdiagError
        If the file can't be read.
    """
    known = recognise(path)
    return None if known is None else known.facts


def recognise(path: Path) -> Known | None:
    """Return the recording of the catalogue whose bytes a file holds, or None."""
    length = path.stat().st_size if path.is_file() else -1
    return _by_digest().get(git_blob_sha1(path)) if length in lengths() else None


@cache
def lengths() -> frozenset[int]:
    """Return the lengths in bytes of the recordings' files."""
    return frozenset(known.bytes for known in catalogue().values())


@cache
def _by_digest() -> Mapping[str, Known]:
    # Git's digest takes half the time of SHA-256.
    return {known.git_blob_sha1: known for known in catalogue().values()}


def _known(row: Mapping[str, str]) -> Known:
    numbers = {name: int(row[name]) if row[name] else None for name in _NUMBERS}
    values = {**numbers, **{name: row[name] or None for name in _TEXTS}}
    values["specimen"] = _specimen(row["end"], row["code"], row["size"])
    return Known(
        facts={name: values[name] for name in FACTS},
        bytes=int(row["bytes"]),
        sha256=row["sha256"],
        git_blob_sha1=row["git_blob_sha1"],
    )


def _specimen(end: str, code: str, size: str) -> str:
    """Name the physical bearing: ``DE-IR-007``, or ``N`` for the healthy one.

    Load, recorder (12k or 48k) and clock position are other recordings of the same seeded
    fault; whether another clock position was another bearing is not documented, so none is
    held out against another.
    """
    return f"{end}-{code}-{size}" if size else code


_MOST_NAMED = 5


def locate(root: Path, numbers: Collection[int]) -> dict[int, Path]:
    """Return the files of these recordings that lie in `root` or any folder below it.

    A file is known by the number in its name (``97.mat``, ``097.mat``, ``normal_0_97.mat``,
    ``130@6_0.mat``); one whose name tells none or several is known by its bytes.

    Raises
    ------
    FaultdiagError
        If the folder is missing or holds no .mat file, none of the recordings is there, two
        different files claim one, or a file's bytes are another recording's than its name says.
    """
    try:
        return _locate(root, numbers)
    except OSError as error:
        raise FaultdiagError(
            f"{root} cannot be searched: {error.strerror or error}; check its permissions"
        ) from error


def _locate(root: Path, numbers: Collection[int]) -> dict[int, Path]:
    paths = _mat_files(root)
    problems: list[str] = []
    claims = _claims(paths, numbers, problems)
    paths_by_number = {}
    for number in sorted(claims.keys() & set(numbers)):
        problems += _contradictions(number, claims[number])
        paths_by_number[number] = claims[number][0]
    if problems:
        raise FaultdiagError("\n".join(problems))
    if not paths_by_number:
        expected = _some((str(catalogue()[n]) for n in sorted(numbers)), len(numbers))
        raise FaultdiagError(
            f"{root} holds none of the {counted(len(numbers), 'recording')} selected: looked for "
            f"{expected}; "
            f"its .mat files: {_some((str(p.relative_to(root)) for p in paths), len(paths))}"
        )
    return paths_by_number


def numbers_in(name: str) -> list[int]:
    """Return the numbers of recordings in a file's name.

    Examples
    --------
    >>> numbers_in("12k_Drive_End_B007_0_118.mat"), numbers_in("OR007@6_0_130.mat")
    ([118], [130])
    >>> numbers_in("Time_Normal_1_098.mat"), numbers_in("inner.mat")
    ([98], [])
    """
    tokens = re.split(r"[^0-9A-Za-z]", Path(name).stem)
    numbers = {int(token) for token in tokens if token.isdecimal()}
    return sorted(numbers & catalogue().keys())


def _mat_files(root: Path) -> list[Path]:
    if not root.exists():
        raise FaultdiagError(f"{root} does not exist; it should be the folder of the recordings")
    if not root.is_dir():
        raise FaultdiagError(f"{root} is a file; name the folder of the recordings")
    files = (path for path in root.rglob("*.[mM][aA][tT]") if path.is_file())
    # macOS leaves a hidden "._97.mat" beside 97.mat in archives.
    paths = sorted(path for path in files if not path.name.startswith("."))
    if not paths:
        others = sorted(path.name for path in islice(root.rglob("*"), 1000) if path.is_file())
        raise FaultdiagError(f"{root} holds no .mat file; it holds: {_some(others, len(others))}")
    return paths


def _claims(
    paths: Iterable[Path], numbers: Collection[int], problems: list[str]
) -> Mapping[int, list[Path]]:
    """Return the files of each recording, known by name or bytes."""
    claims: dict[int, list[Path]] = {}
    for path in paths:
        named = numbers_in(path.name)
        if len(named) == 1:
            claims.setdefault(named[0], []).append(path)
        elif known := recognise(path):
            claims.setdefault(known.number, []).append(path)
        elif set(named) & set(numbers):
            candidates = " or ".join(str(catalogue()[n]) for n in named)
            problems.append(
                f"{path} may be recording {candidates} by its name, and its bytes are none "
                "that is known; leave one number in its name"
            )
    return claims


def _contradictions(number: int, paths: list[Path]) -> list[str]:
    first, *others = paths
    problems = [
        f"recording {catalogue()[number]} is claimed by {first} and by {other}, which differ; "
        "keep one of them"
        for other in others
        if not filecmp.cmp(first, other, shallow=False)
    ]
    for path in paths if problems else [first]:
        known: Known | None = recognise(path)
        if known is not None and known.number != number:
            problems.append(
                f"{path} is recording {catalogue()[number]} by its name, but its bytes are those "
                f"of {known}; give it the number {known.number}"
            )
    return problems


def _some(names: Iterable[str], count: int) -> str:
    shown = ", ".join(islice(names, _MOST_NAMED))
    return f"{shown}, …" if count > _MOST_NAMED else shown or "nothing"


class Cwru:
    """CWRU's 161 recordings: one per fault, size, clock position and load.

    The files lie anywhere below the folder, under their numbers or the usual renamings. The
    healthy baseline is sampled at 48 kHz, as the 48k files are; `sampling_rate` says so for
    each. `rpm` is the nominal speed for the load, used where a file states none.

    Parameters
    ----------
    root
        The folder.
    at_fault
        Whether the sensor of the end that has the fault is read of each faulty recording, whatever
        the one channel in ``data.channels`` is: fan-end faults are weak at the drive end.

    References
    ----------
    .. [1] W. A. Smith and R. B. Randall, "Rolling element bearing diagnostics using the Case
       Western Reserve University data: a benchmark study", Mech. Syst. Signal Process. 64-65
       (2015) 100-131, doi:10.1016/j.ymssp.2015.04.021
    """

    licence = "free to download from the Bearing Data Center, which states no licence"
    citation = (
        "Case Western Reserve University Bearing Data Center, "
        "https://engineering.case.edu/bearingdatacenter"
    )
    label = "{code}{size}"

    def __init__(self, root: Path, *, at_fault: Flag = False) -> None:
        self.root = Path(root)
        self._at_fault = at_fault

    @property
    def facts(self) -> Mapping[str, Sequence[object]]:
        """The facts that recordings can be selected by, with the values each one takes."""
        return values_of([known.facts for known in catalogue().values()])

    def entries(self, select: Mapping[str, Sequence[object]]) -> Selection:
        """Return the selected recordings in the order of their numbers.

        Raises
        ------
        FaultdiagError
            If `select` names what is not in the catalogue or leaves nothing, the folder is
            missing or holds none of the selected recordings, or its files contradict their
            names.
        """
        facts = choose([known.facts for known in catalogue().values()], select)
        expected = [catalogue()[row["number"]] for row in facts]
        paths = locate(self.root, [known.number for known in expected])
        return Selection(
            entries=[
                _entry(known, paths[known.number], at_fault=self._at_fault)
                for known in expected
                if known.number in paths
            ],
            missing=[str(known) for known in expected if known.number not in paths],
        )


def _entry(known: Known, path: Path, *, at_fault: bool) -> Entry:
    end = known.facts["end"]
    return Entry(
        channels=(str(end),) if at_fault and end else (),
        path=path,
        facts=known.facts,
        sampling_rate=float(known.facts["sampling_rate"]),
        rpm=float(known.facts["rpm"]),
        name=str(known.number),
    )
