"""Splits within recordings: honest ones, those of published work that leak, and the registry.

A split is a list of segments per part. Windows are made inside segments only, so parts with
disjoint segments cannot share a sample.

Strategies that leak reproduce the figures of published work and show the leak: every window is a
segment of its own, so that windows of two parts may overlap; the audit then says how much of the
test part leaks.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from faultdiag.documents import Document
from faultdiag.errors import FaultdiagError
from faultdiag.registry import Registry
from faultdiag.signal.recording import Segment
from faultdiag.signal.windows import WindowPlan, spread_starts, strided_starts

PARTS = ("train", "valid", "test")

# With transfer, train and valid are of the source and test of the target; beside them there are
# the unlabelled target windows that a network adapts to, and source windows to test on.
TARGET_ADAPT, SOURCE_TEST = "target_adapt", "source_test"
ALL_PARTS = (*PARTS, TARGET_ADAPT, SOURCE_TEST)

# What a model is made with: no test window should share samples with these.
MADE_WITH = ("train", "valid", TARGET_ADAPT)

SHORTEN = "window.length or split.gap"

STRATEGIES: Registry["Split"] = Registry(
    "split strategy",
    {
        "within_recording": "faultdiag.splits.within:within_recording",
        "across": "faultdiag.splits.across:across",
        "across_loads": "faultdiag.splits.across:across_loads",
        "across_sizes": "faultdiag.splits.across:across_sizes",
        "across_bearings": "faultdiag.splits.across:across_bearings",
        "across_recordings": "faultdiag.splits.across:across_recordings",
        "file": "faultdiag.splits.file:from_file",
        "random_windows": "faultdiag.splits.within:random_windows",
        "legacy_wdcnn": "faultdiag.splits.within:legacy_wdcnn",
    },
)

# Strategies that draw at random: only for these does the seed change the prepared data.
SEEDED = frozenset({"random_windows", "legacy_wdcnn"})


@dataclass(frozen=True, slots=True)
class SplitItem:
    """A recording as a strategy sees it: name, length in samples, class and facts.

    ``sha256`` is the digest of its file, empty where it isn't known yet.
    """

    name: str
    samples: int
    label: str
    facts: Document = field(default_factory=dict)
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Split:
    """Segments per part, and notes on them.

    ``shares`` is the share of ``window.per_class`` that each part gets; ``notes`` are sentences
    for the reader of the result; ``test_may_lack`` says that a class may have no test window.
    ``fact`` is the fact that whole groups are held out by, empty where none are, and ``held_out``
    names the groups that validation holds out, such as ``load_hp 2``.
    """

    parts: Mapping[str, tuple[Segment, ...]]
    shares: Mapping[str, float]
    notes: tuple[str, ...] = ()
    test_may_lack: bool = False
    fact: str = ""
    held_out: str = ""


def _three_shares(fractions: tuple[float, ...]) -> tuple[float, ...]:
    if len(fractions) != len(PARTS):
        raise ValueError(
            f"found {len(fractions)} numbers; write 3, for train, valid and test, such as "
            "[0.7, 0.2, 0.1]"
        )
    if not math.isclose(sum(fractions), 1.0, abs_tol=1e-9):
        raise ValueError(
            f"they sum to {sum(fractions):g} and must sum to 1, such as [0.7, 0.2, 0.1]"
        )
    if min(fractions) < 1e-6:
        raise ValueError("each must be at least 1e-06")
    return fractions


Share = Annotated[float, Field(strict=True)]
Fractions = Annotated[tuple[Share, ...], AfterValidator(_three_shares)]
Gap = Annotated[int, Field(ge=0, strict=True)]
Count = Annotated[int, Field(ge=1, strict=True)]


# 900 * (0.2 / 0.9) may be rounded to just below 200 and still means 200.
_ROUNDING = 1e-6


def part_sizes(usable: int, fractions: Sequence[float]) -> list[int]:
    """Split `usable` samples into whole numbers in the ratio of `fractions`.

    The last part is taken first, then the part before it from the rest, each rounded down; the
    first part gets the remainder. So no part shrinks when `usable` grows, which separately rounded
    borders don't guarantee.

    Examples
    --------
    >>> part_sizes(20480, (0.7, 0.2, 0.1))
    [14336, 4096, 2048]
    >>> part_sizes(20479, (0.7, 0.2, 0.1))
    [14336, 4096, 2047]
    """
    sizes: list[int] = []
    for last in range(len(fractions) - 1, 0, -1):
        share = fractions[last] / math.fsum(fractions[: last + 1])
        sizes.append(math.floor(usable * share + _ROUNDING))
        usable -= sizes[-1]
    return [usable, *reversed(sizes)]


def even_shares(total: int, among: int) -> list[int]:
    """Split `total` into `among` whole numbers that differ by at most one.

    Examples
    --------
    >>> even_shares(10, 3)
    [4, 3, 3]
    """
    return [total // among + (i < total % among) for i in range(among)]


def minimum_samples(length: int, fractions: Sequence[float], gap: int) -> int:
    """Return the length of the shortest recording that has one window in every part.

    Examples
    --------
    >>> minimum_samples(2048, (0.7, 0.2, 0.1), 2048)
    24576
    """
    usable = smallest(lambda samples: min(part_sizes(samples, fractions)) >= length)
    return usable + gap * (len(fractions) - 1)


def smallest(works: Callable[[int], bool]) -> int:
    """Return the smallest number from 0 on that works; all numbers above it must work too."""
    enough = 1
    while not works(enough):
        enough *= 2
    return bisect_left(range(enough), True, key=works)


def within_recording(
    items: Sequence[SplitItem],
    plan: WindowPlan,
    seed: int,
    *,
    fractions: Fractions = (0.7, 0.2, 0.1),
    gap: Gap | None = None,
) -> Split:
    """Cut each recording into contiguous train, valid and test parts with a gap between.

    Parameters
    ----------
    fractions
        Shares of train, valid and test in the samples that remain after the gaps.
    gap
        Samples left out between two parts; the window length unless given.

    Raises
    ------
    FaultdiagError
        If a recording is too short for one window in every part; the message names all such
        recordings and the required length.
    """
    del seed
    gap = plan.length if gap is None else gap
    needed = minimum_samples(plan.length, fractions, gap)
    terms = f"window.length {plan.length}, fractions {list(fractions)}, gap {gap}"
    require_samples("within_recording", items, needed, terms, shorten=SHORTEN)
    parts = no_segments()
    for index, item in enumerate(items):
        start = 0
        sizes = part_sizes(item.samples - 2 * gap, fractions)
        for part, size in zip(PARTS, sizes, strict=True):
            parts[part].append(Segment(index, start, start + size))
            start += size + gap
    return make_split(parts, fractions)


def no_segments() -> dict[str, list[Segment]]:
    """Return an empty list per part."""
    return {part: [] for part in PARTS}


def make_split(
    parts: Mapping[str, Sequence[Segment]],
    fractions: Sequence[float],
    *notes: str,
    test_may_lack: bool = False,
) -> Split:
    """Build a split from segments and the shares of its parts."""
    segments = {part: tuple(parts[part]) for part in PARTS}
    return Split(segments, dict(zip(PARTS, fractions, strict=True)), notes, test_may_lack)


def require_samples(
    strategy: str,
    items: Sequence[SplitItem],
    needed: int,
    terms: str,
    *,
    shorten: str = "window.length",
) -> None:
    """Check that no recording is too short for a strategy.

    Parameters
    ----------
    needed
        The samples that every recording must have.
    terms
        The settings that determine `needed`, for the message.
    shorten
        The settings that can be lowered.

    Raises
    ------
    FaultdiagError
        If a recording has fewer samples; the message names all such recordings.
    """
    short = [f"{item.name} has {item.samples}" for item in items if item.samples < needed]
    if short:
        raise FaultdiagError(
            f"{strategy} needs {needed} samples a recording ({terms}); {', '.join(short)}; "
            f"leave them out with data.select or use a shorter {shorten}"
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
