"""Windows per second of training and inference: faultdiag beside its peers, in turn."""

import statistics
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.data import Material
from benchmarks.side import Side
from faultdiag.system.processes import OPENMP

WORKS = ("training", "inference")


def open_sides(
    material: Material, stack: ExitStack, *, threads: int, keras: Path | None, bfloat16: bool
) -> dict[str, Side]:
    """Start all sides; ``faultdiag`` is the first of them.

    Parameters
    ----------
    threads
        Threads of each, 0 for what it takes by itself.
    keras
        Python of the environment of Keras.
    """
    folder, count = str(material.folder), str(threads)
    limit = [count] if threads else []
    ours = ["benchmarks.our_side", folder, count]
    sides = {
        "faultdiag": Side(sys.executable, ours, OPENMP),
        "plain": Side(sys.executable, ["benchmarks.plain_side", folder, *limit]),
    }
    if bfloat16:
        sides["faultdiag bfloat16"] = Side(sys.executable, [*ours, "bfloat16"], OPENMP)
    if keras:
        sides["keras"] = Side(keras, ["benchmarks.keras_side", folder, *limit])
    for side in sides.values():
        stack.enter_context(side)
    return sides


def compare(
    material: Material,
    rounds: int,
    *,
    threads: int = 0,
    keras: Path | None = None,
    bfloat16: bool = False,
) -> dict[str, Any]:
    """Time every side in every round, and give medians and the ratios to faultdiag."""
    with ExitStack() as stack:
        sides = open_sides(material, stack, threads=threads, keras=keras, bfloat16=bfloat16)
        return {work: _compare(sides, work, rounds, material.windows) for work in WORKS}


def _compare(sides: Mapping[str, Side], work: str, rounds: int, windows: int) -> dict[str, Any]:
    for side in sides.values():  # not counted: caches and memory pools fill, graphs are traced
        side.seconds(work)
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            times[name].append(side.seconds(work))
    return {name: _row(times[name], times["faultdiag"], windows) for name in sides}


def _row(theirs: list[float], ours: list[float], windows: int) -> dict[str, Any]:
    ratios = sorted(their / our for their, our in zip(theirs, ours, strict=True))
    return {
        "windows_per_s": windows / statistics.median(theirs),
        "times_faultdiag": statistics.median(ratios),
        "ratios": ratios,
    }
