"""Facts of a single file that no dataset was named for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faultdiag.datasets import cwru_catalogue, synthetic


def identify(path: Path) -> Mapping[str, Any] | None:
    """Give the facts of a recording that a catalogue knows, or None.

    A measured recording is known by its bytes, whatever the file is called; a simulated one by
    the mark in its folder.

    Raises
    ------
    FaultdiagError
        If the file or the mark of its folder can't be read.
    """
    return cwru_catalogue.identify(path) or synthetic.identify(path)
