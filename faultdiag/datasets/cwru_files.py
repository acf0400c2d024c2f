"""Finding the files of CWRU's recordings in a folder, under the names they go by."""

import filecmp
import re
from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from pathlib import Path

from faultdiag.datasets.cwru_catalogue import Known, catalogue, recognise
from faultdiag.errors import FaultdiagError

_MOST_NAMED = 5


def locate(root: Path, numbers: Collection[int]) -> dict[int, Path]:
    """Give the files of these recordings that lie in `root` or any folder below it.

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
    found = {}
    for number in sorted(claims.keys() & set(numbers)):
        problems += _contradictions(number, claims[number])
        found[number] = claims[number][0]
    if problems:
        raise FaultdiagError("\n".join(problems))
    if not found:
        wanted = _some((str(catalogue()[n]) for n in sorted(numbers)), len(numbers))
        raise FaultdiagError(
            f"{root} holds none of the {len(numbers)} recordings selected: looked for {wanted}; "
            f"its .mat files: {_some((str(p.relative_to(root)) for p in paths), len(paths))}"
        )
    return found


def numbers_in(name: str) -> list[int]:
    """Give the recordings' numbers that stand in a file's name.

    Examples
    --------
    >>> numbers_in("12k_Drive_End_B007_0_118.mat"), numbers_in("OR007@6_0_130.mat")
    ([118], [130])
    >>> numbers_in("Time_Normal_1_098.mat"), numbers_in("inner.mat")
    ([98], [])
    """
    tokens = re.split(r"[^0-9A-Za-z]", Path(name).stem)
    found = {int(token) for token in tokens if token.isdecimal()}
    return sorted(found & catalogue().keys())


def _mat_files(root: Path) -> list[Path]:
    if not root.exists():
        raise FaultdiagError(f"{root} does not exist; it should be the folder of the recordings")
    if not root.is_dir():
        raise FaultdiagError(f"{root} is a file; name the folder of the recordings")
    # macOS leaves a hidden "._97.mat" beside 97.mat in archives.
    files = (p for p in root.rglob("*") if not p.name.startswith(".") and p.is_file())
    paths = sorted(p for p in files if p.suffix.lower() == ".mat")
    if not paths:
        others = [p.name for p in islice(root.rglob("*"), 1000) if p.is_file()]
        raise FaultdiagError(
            f"{root} holds no .mat file; it holds: {_some(sorted(others), len(others))}"
        )
    return paths


def _claims(
    paths: Iterable[Path], numbers: Collection[int], problems: list[str]
) -> Mapping[int, list[Path]]:
    """Give the files that are each recording's by name or bytes."""
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
