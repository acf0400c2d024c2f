"""Facts of a single file that no dataset was named for."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from faultdiag.datasets import cwru, mfpt, synthetic, uestc
from faultdiag.datasets.cwru import numbers_in


def identify(path: Path) -> Mapping[str, Any] | None:
    """Give the facts of a recording that a catalogue knows, or None.

    A measured recording is known by its bytes, whatever the file is called; a simulated one by
    the mark in its folder.

    Raises
    ------
    FaultdiagError
        If the file or the mark of its folder can't be read.
    """
    return (
        cwru.identify(path)
        or mfpt.known().identify(path)
        or uestc.known().identify(path)
        or synthetic.identify(path)
    )


def identify_by_name(path: Path, variables: Iterable[str]) -> cwru.Known | None:
    """Give the CWRU recording whose number both a file's name and its variables carry, or None.

    For copies whose bytes were changed, such as one saved again in another format.
    """
    numbers = numbers_in(path.name)
    names = {f"X{number:03d}_{end}_time" for number in numbers for end in ("DE", "FE")}
    if len(numbers) != 1 or not names & set(variables):
        return None
    return cwru.catalogue()[numbers[0]]
