"""Splits of published work: their figures come out, and so does their leak."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError
from faultdiag.signal.windows import WindowPlan, best_overlap, count_disjoint, strided_starts
from faultdiag.splits.sharing import audit_windows
from faultdiag.splits.within import (
    PARTS,
    STRATEGIES,
    Split,
    SplitItem,
    legacy_wdcnn,
    part_sizes,
    random_windows,
)

law = settings(max_examples=40, deadline=None)
LENGTH = 2048
# One recording of the length that the published figures were taken on.
RECORDING = [SplitItem("118.mat", 121_265, "B")]
# In the original, training ends at int(samples * (1 - (0.2 + 0.1))).
END = 84_885


def starts_of(split: Split, recording: int = 0) -> dict[str, NDArray[np.int64]]:
    return {
        part: np.array([s.start for s in split.parts[part] if s.recording == recording])
        for part in PARTS
    }


def seen_in_training(starts: dict[str, NDArray[np.int64]], samples: int, length: int) -> float:
    """Mean share of a test window that lies under any training window."""
    mask = np.zeros(samples, dtype=bool)
    for start in starts["train"]:
        mask[start : start + length] = True
    return float(np.mean([mask[s : s + length].mean() for s in starts["test"]]))


@pytest.mark.parametrize(
    ("stride", "leaking", "nearest", "together"),
    [
        (28, 1.0, 0.985, 1.0),
        (256, 1.0, 0.863, 1.0),
        (512, 0.999, 0.724, 0.97),
        (1024, 0.908, 0.454, 0.70),
        (2048, 0.0, 0.0, 0.0),
    ],
)
def test_how_much_of_a_random_test_part_training_has_seen(
    stride: int, leaking: float, nearest: float, together: float
) -> None:
    found = []
    for seed in range(30):
        split = random_windows(RECORDING, WindowPlan(LENGTH, stride, None, LENGTH), seed)
        starts = starts_of(split)
        overlap = best_overlap(starts["test"], starts["train"], LENGTH)
        seen = seen_in_training(starts, 121_265, LENGTH)
        found.append(((overlap > 0).mean(), overlap.mean(), seen))
    # 12 test windows a draw at stride 1024: the mean of 30 draws is good to 0.014.
    tolerance = 0.003 if stride == 28 else 0.035
    assert np.mean(found, axis=0) == pytest.approx([leaking, nearest, together], abs=tolerance)


@law
@given(st.integers(20, 300), st.integers(1, 20), st.integers(1, 40), st.integers(0, 99))
def test_random_windows_deals_every_window_once(
    samples: int, length: int, stride: int, seed: int
) -> None:
    plan = WindowPlan(length, stride, None, length)
    starts = starts_of(random_windows([SplitItem("a", samples, "N")], plan, seed))
    dealt = sorted(int(s) for part in PARTS for s in starts[part])
    every = strided_starts(0, samples, length, stride).tolist()
    assert dealt == every
    assert [len(starts[part]) for part in PARTS] == part_sizes(len(every), (0.7, 0.2, 0.1))


def test_random_windows_shares_the_windows_of_a_class_among_its_recordings() -> None:
    items = [SplitItem("a", 5000, "N"), SplitItem("b", 6000, "N"), SplitItem("c", 5000, "IR")]
    split = random_windows(items, WindowPlan(64, None, 101, 64), 0, fractions=(0.5, 0.25, 0.25))
    found = [[len(starts_of(split, r)[part]) for part in PARTS] for r in range(3)]
    assert found == [
        part_sizes(51, (0.5, 0.25, 0.25)),
        part_sizes(50, (0.5, 0.25, 0.25)),
        part_sizes(101, (0.5, 0.25, 0.25)),
    ]


def test_recordings_are_dealt_independently() -> None:
    items = [SplitItem("a", 9000, "N"), SplitItem("b", 9000, "IR")]
    split = random_windows(items, WindowPlan(64, 64, None, 64), 0)
    assert starts_of(split, 0)["test"].tolist() != starts_of(split, 1)["test"].tolist()


def test_random_windows_says_what_it_does() -> None:
    plan = WindowPlan(64, 64, None, 64)
    leak = "random_windows puts overlapping windows of one recording into different parts"
    assert random_windows(RECORDING, plan, 0, gap=0).notes == (leak,)
    assert random_windows(RECORDING, plan, 0, gap=2048).notes == (
        leak,
        "split.gap 2048 has no effect with random_windows: its windows have no border",
    )


def test_random_windows_of_recordings_shorter_than_a_window() -> None:
    items = [SplitItem("a", 64, "N"), SplitItem("b", 63, "N"), SplitItem("c", 5, "N")]
    expected = (
        "random_windows needs 64 samples a recording (window.length 64); b has 63, c has 5; leave "
        "them out with data.select or use a shorter window.length"
    )
    with pytest.raises(FaultdiagError, match=f"^{re.escape(expected)}$"):
        random_windows(items, WindowPlan(64, 64, None, 64), 0)


def test_random_windows_of_a_recording_with_too_few_windows() -> None:
    expected = (
        "100 windows of 64 samples are asked of a.mat of 100 samples, which has 37 distinct ones; "
        "lower window.per_class"
    )
    with pytest.raises(FaultdiagError, match=f"^{re.escape(expected)}$"):
        random_windows([SplitItem("a.mat", 100, "N")], WindowPlan(64, None, 100, 64), 0)


def legacy(seed: int = 0, **options: Any) -> dict[str, NDArray[np.int64]]:
    return starts_of(
        legacy_wdcnn(RECORDING, WindowPlan(LENGTH, None, 1000, LENGTH), seed, **options)
    )


def test_the_legacy_draw_has_the_published_figures() -> None:
    overlaps, covered, disjoint = [], [], []
    for seed in range(20):
        starts = legacy(seed)
        assert [len(starts[part]) for part in PARTS] == [700, 200, 100]
        audit = audit_windows({part: {0: starts[part]} for part in PARTS}, LENGTH)
        assert audit.leaking_test_windows == 0
        assert audit.shared_samples > 0
        overlap = best_overlap(starts["test"], starts["valid"], LENGTH)
        assert overlap.min() > 0  # every test window overlaps a validation window
        assert audit.valid_test_overlap == overlap.mean()
        overlaps.append(overlap.mean())
        mask = np.zeros(END, dtype=bool)
        for start in starts["train"]:
            mask[start : start + LENGTH] = True
        covered.append(mask.mean())
        disjoint.append(count_disjoint(starts["train"], LENGTH))
    assert np.mean(overlaps) == pytest.approx(0.958, abs=0.004)
    assert np.mean(covered) == pytest.approx(0.37, abs=0.03)
    assert max(disjoint) <= 41


def test_legacy_training_windows_come_in_blocks_one_step_apart() -> None:
    train = legacy()["train"]
    blocks = np.split(train, range(73, 700, 73))  # 2048 // 28 windows a block
    assert [len(block) for block in blocks] == [73] * 9 + [43]
    for block in blocks:
        assert set(np.diff(block).tolist()) == {28}
        assert block[0] >= 28


@pytest.mark.parametrize("extreme", ["lowest", "highest"])
def test_the_legacy_draws_have_the_bounds_of_the_original(
    monkeypatch: pytest.MonkeyPatch, extreme: str
) -> None:
    class Extreme:
        """Draws only the lowest or the highest number that may be drawn."""

        def integers(self, low: int, high: int, size: int) -> NDArray[np.int64]:
            return np.full(size, low if extreme == "lowest" else high - 1)

    monkeypatch.setattr(np.random, "default_rng", lambda _: Extreme())
    starts = legacy()
    first = 0 if extreme == "lowest" else END - 2 * LENGTH - 1  # randint(0, end - 2 * length)
    tail = END if extreme == "lowest" else 121_265 - LENGTH - 1  # randint(end, samples - length)
    assert starts["train"][:73].tolist() == [first + 28 * i for i in range(1, 74)]
    assert set(starts["valid"].tolist()) | set(starts["test"].tolist()) == {tail}


@law
@given(st.integers(1, 40), st.integers(0, 400), st.integers(1, 99), st.integers(0, 99), st.data())
def test_legacy_training_shares_nothing_with_the_tail(
    length: int, extra: int, per_class: int, seed: int, data: st.DataObject
) -> None:
    step = data.draw(st.integers(1, length))
    samples = 4 * length + 10 + extra
    plan = WindowPlan(length, None, per_class, length)
    split = legacy_wdcnn([SplitItem("a", samples, "N")], plan, seed, step=step)
    starts = starts_of(split)
    assert [len(starts[part]) for part in PARTS] == part_sizes(per_class, (0.7, 0.2, 0.1))
    seen = {i for s in starts["train"].tolist() for i in range(s, s + length)}
    tail = {i for p in ("valid", "test") for s in starts[p].tolist() for i in range(s, s + length)}
    assert not seen & tail
    assert seen | tail <= set(range(samples))


def test_legacy_shares_the_windows_of_a_class_among_its_recordings() -> None:
    items = [SplitItem(f"{i}", 121_265, "B") for i in range(4)]
    split = legacy_wdcnn(items, WindowPlan(LENGTH, None, 1000, LENGTH), 0)
    for recording in range(4):
        starts = starts_of(split, recording)
        assert [len(starts[part]) for part in PARTS] == [175, 50, 25]


def test_legacy_with_fewer_windows_than_recordings() -> None:
    items = [SplitItem(f"{i}", 121_265, "B") for i in range(3)]
    split = legacy_wdcnn(items, WindowPlan(LENGTH, None, 2, LENGTH), 0)
    assert {s.recording for part in PARTS for s in split.parts[part]} == {0, 1}


def test_legacy_says_what_it_does() -> None:
    plan = WindowPlan(LENGTH, None, 1000, LENGTH)
    leak = "legacy_wdcnn draws valid and test from the same tail: their windows overlap"
    assert legacy_wdcnn(RECORDING, plan, 0).notes == (leak,)
    assert legacy_wdcnn(RECORDING, plan, 0, gap=5).notes == (
        leak,
        "split.gap 5 has no effect with legacy_wdcnn: its windows have no border",
    )


def test_legacy_needs_a_number_of_windows() -> None:
    expected = (
        "split.strategy legacy_wdcnn draws window.per_class windows a class and has no stride; "
        "set window.per_class, such as 1000, in place of window.stride"
    )
    with pytest.raises(FaultdiagError, match=f"^{re.escape(expected)}$"):
        legacy_wdcnn(RECORDING, WindowPlan(LENGTH, 28, None, LENGTH), 0)


def test_legacy_step_beyond_a_window() -> None:
    expected = "split.step is 2049, longer than window.length 2048; use at most that"
    with pytest.raises(FaultdiagError, match=f"^{re.escape(expected)}$"):
        legacy(step=2049)
    assert len(legacy(step=2048)["train"]) == 700


@pytest.mark.parametrize(
    ("fractions", "needed"),
    [((0.7, 0.2, 0.1), 6827), ((0.2, 0.4, 0.4), 20_486)],
)
def test_the_legacy_minimum_is_exact(fractions: tuple[float, ...], needed: int) -> None:
    plan = WindowPlan(LENGTH, None, 10, LENGTH)
    names = [SplitItem("a", needed, "N"), SplitItem("b", needed - 1, "N"), SplitItem("c", 7, "N")]
    split = legacy_wdcnn(names[:1], plan, 0, fractions=fractions)
    assert sum(len(split.parts[part]) for part in PARTS) == 10
    expected = (
        f"legacy_wdcnn needs {needed} samples a recording (window.length 2048, fractions "
        f"{list(fractions)}); b has {needed - 1}, c has 7; leave them out with data.select or use "
        "a shorter window.length"
    )
    with pytest.raises(FaultdiagError, match=f"^{re.escape(expected)}$"):
        legacy_wdcnn(names, plan, 0, fractions=fractions)


@pytest.mark.parametrize("strategy", ["random_windows", "legacy_wdcnn"])
def test_a_test_stride_without_effect_is_said(strategy: str) -> None:
    items = [SplitItem(f"{n}.mat", 9000, n) for n in "NI"]
    for test_stride, notes in ((64, 0), (32, 1)):
        plan = WindowPlan(64, None, 40, test_stride)
        split = STRATEGIES.build(strategy, items, plan, 0)
        said = [note for note in split.notes if note.startswith("window.test_stride")]
        assert said == [f"window.test_stride 32 has no effect with {strategy}"] * notes
