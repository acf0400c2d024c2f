"""Splits that leak, as published work makes them: to reproduce its figures and show the leak.

Every window is a segment of its own, so that windows of two parts may overlap; the audit then
says how much of the test part leaks. The honest splits are in `faultdiag.splits.within`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError
from faultdiag.signal.recording import Segment
from faultdiag.signal.windows import WindowPlan, spread_starts, strided_starts
from faultdiag.splits.within import (
    PARTS,
    Count,
    Fractions,
    Gap,
    Split,
    SplitItem,
    even_shares,
    make_split,
    no_segments,
    part_sizes,
    require_samples,
    smallest,
)


def random_windows(
    items: Sequence[SplitItem],
    plan: WindowPlan,
    seed: int,
    *,
    fractions: Fractions = (0.7, 0.2, 0.1),
    gap: Gap | None = None,
) -> Split:
    """Deal the windows of each recording to the parts at random, as most public scripts do.

    Overlapping windows end up in several parts, so the test part leaks. It exists to reproduce
    published figures; the audit prints the leak.

    Parameters
    ----------
    fractions
        Shares of train, valid and test.
    gap
        Accepted so that the strategy of a config can be changed alone. Windows dealt at random
        have no border where a gap could be; a note says so.

    Raises
    ------
    FaultdiagError
        If a recording is shorter than one window, or has fewer than its share of
        ``window.per_class``.
    """
    require_samples("random_windows", items, plan.length, f"window.length {plan.length}")
    parts = no_segments()
    counts = _windows_per_recording(items, plan)
    for index, (item, count) in enumerate(zip(items, counts, strict=True)):
        if plan.stride is None:
            starts = spread_starts(0, item.samples, plan.length, count, source=item.name)
        else:
            starts = strided_starts(0, item.samples, plan.length, plan.stride)
        np.random.default_rng([seed, index]).shuffle(starts)
        borders = np.cumsum(part_sizes(len(starts), fractions))[:-1]
        for part, dealt in zip(PARTS, np.split(starts, borders), strict=True):
            parts[part] += _windows(index, np.sort(dealt), plan.length)
    leak = "random_windows puts overlapping windows of one recording into different parts"
    return make_split(
        parts,
        fractions,
        leak,
        *_gap_note("random_windows", gap),
        *_stride_note("random_windows", plan),
    )


def legacy_wdcnn(
    items: Sequence[SplitItem],
    plan: WindowPlan,
    seed: int,
    *,
    fractions: Fractions = (0.7, 0.2, 0.1),
    step: Count = 28,
    gap: Gap | None = None,
) -> Split:
    """Draw windows as the well-known ``prepro`` of the WDCNN scripts does, but seeded.

    Training: blocks of ``length // step`` windows `step` samples apart from a random place in
    the first share of the recording. Validation and test: windows at random places of the one
    tail behind it, so that they overlap each other. ``window.per_class`` windows in all, shared
    among the recordings of a class.

    Parameters
    ----------
    fractions
        Shares of train, valid and test of ``window.per_class``.
    step
        Samples between two training windows of one block (``enc_step`` of the original).
    gap
        As in `random_windows`: accepted, without effect, said in a note.

    Raises
    ------
    FaultdiagError
        If ``window.per_class`` is not set, `step` exceeds the window, or recordings are too
        short for the draw.
    """
    if plan.per_class is None:
        raise FaultdiagError(
            "split.strategy legacy_wdcnn draws window.per_class windows a class and has no "
            "stride; set window.per_class, such as 1000, in place of window.stride"
        )
    if step > plan.length:
        raise FaultdiagError(
            f"split.step is {step}, longer than window.length {plan.length}; use at most that"
        )
    require_samples("legacy_wdcnn", items, *_legacy_minimum(plan.length, fractions))
    parts = no_segments()
    for index, count in enumerate(_windows_per_recording(items, plan)):
        rng = np.random.default_rng([seed, index])
        end = _legacy_end(items[index].samples, fractions)
        train, valid, test = part_sizes(count, fractions)
        tail = rng.integers(end, items[index].samples - plan.length, valid + test)
        starts = (_legacy_blocks(end, plan.length, step, train, rng), tail[:valid], tail[valid:])
        for part, drawn in zip(PARTS, starts, strict=True):
            parts[part] += _windows(index, drawn, plan.length)
    leak = "legacy_wdcnn draws valid and test from the same tail: their windows overlap"
    return make_split(
        parts, fractions, leak, *_gap_note("legacy_wdcnn", gap), *_stride_note("legacy_wdcnn", plan)
    )


def _legacy_end(samples: int, fractions: Sequence[float]) -> int:
    """Return where training ends; the original truncates, and never reads the first fraction."""
    return int(samples * (1 - (fractions[1] + fractions[2])))


def _legacy_minimum(length: int, fractions: Sequence[float]) -> tuple[int, str]:
    """Return the shortest recording in which the original's draws have a place, and why."""

    def works(samples: int) -> bool:
        end = _legacy_end(samples, fractions)
        return end > 2 * length and samples - length > end

    return smallest(works), f"window.length {length}, fractions {list(fractions)}"


def _legacy_blocks(
    end: int, length: int, step: int, count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw the starts of training windows; a block starts one step behind its random place."""
    in_block = length // step
    places = rng.integers(0, end - 2 * length, -(-count // in_block))
    starts: NDArray[np.int64] = places[:, None] + step * np.arange(1, in_block + 1)
    return starts.ravel()[:count]


def _windows_per_recording(items: Sequence[SplitItem], plan: WindowPlan) -> list[int]:
    """Share ``per_class`` out among the recordings of each class, as evenly as it goes."""
    per_class = plan.per_class or 0
    members: dict[str, list[int]] = {}
    for index, item in enumerate(items):
        members.setdefault(item.label, []).append(index)
    counts = [0] * len(items)
    for indices in members.values():
        for index, size in zip(indices, even_shares(per_class, len(indices)), strict=True):
            counts[index] = size
    return counts


def _windows(recording: int, starts: NDArray[np.int64], length: int) -> list[Segment]:
    """Return every window a segment of its own."""
    return [Segment(recording, start, start + length) for start in starts.tolist()]


def _stride_note(strategy: str, plan: WindowPlan) -> list[str]:
    """Return that ``window.test_stride`` is without effect where the strategy deals all windows."""
    if plan.test_stride == plan.length:
        return []
    return [f"window.test_stride {plan.test_stride} has no effect with {strategy}"]


def _gap_note(strategy: str, gap: int | None) -> list[str]:
    if not gap:
        return []
    return [f"split.gap {gap} has no effect with {strategy}: its windows have no border"]
