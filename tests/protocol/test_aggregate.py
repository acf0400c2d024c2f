"""Means over folds, spread over seeds, and rows with cells that failed."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultdiag.protocol.plan import Plan
from faultdiag.protocol.results import aggregate, table_rows
from faultdiag.report.protocol import leak_meaning
from faultdiag.splits.sharing import LEVELS
from tests.protocol.cells import cell, config, row

T2, T3 = 12.706204736, 4.30265273  # 97.5 % quantiles of Student's law, 1 and 2 degrees of freedom


def test_the_mean_over_folds_of_each_seed_then_over_seeds() -> None:
    accuracies = {
        ("a", 0): 0.5,
        ("b", 0): 0.7,
        ("c", 0): 0.9,
        ("a", 1): 0.6,
        ("b", 1): 0.8,
        ("c", 1): 0.7,
    }
    group = [(cell(fold=f, seed=s), row(a)) for (f, s), a in accuracies.items()]
    found = aggregate(group, None)
    assert found["accuracy"]["mean"] == pytest.approx(0.7)
    assert found["accuracy"]["sd"] == pytest.approx(0.0)
    assert found["accuracy"]["over_seeds"] == pytest.approx([0.7, 0.7])
    # Folds 0.55, 0.75, 0.8: mean 0.7, standard deviation 0.1323.
    half = T3 * math.sqrt((0.15**2 + 0.05**2 + 0.1**2) / 2) / math.sqrt(3)
    assert found["accuracy"]["over_folds"] == pytest.approx([0.7 - half, 1.0])
    assert (found["cells"], found["cells_planned"], found["seeds"], found["folds"]) == (6, 6, 2, 3)
    assert found["macro_f1"]["mean"] == pytest.approx(0.35)
    assert found["recordings_right"] == 1.0
    assert found["window_seconds"] == pytest.approx(256 / 12000)


def test_two_seeds_and_no_folds() -> None:
    found = aggregate([(cell(seed=0), row(0.4)), (cell(seed=1), row(0.42))], None)["accuracy"]
    assert found["mean"] == pytest.approx(0.41)
    assert found["sd"] == pytest.approx(0.02 / math.sqrt(2))
    assert found["over_seeds"] == pytest.approx([0.41 - T2 * 0.01, 0.41 + T2 * 0.01])
    assert found["over_folds"] is None


def test_one_cell_has_no_spread() -> None:
    found = aggregate([(cell(), row(0.4))], None)
    assert found["accuracy"] == {"mean": 0.4, "sd": None, "over_seeds": None, "over_folds": None}


def test_failed_cells_are_counted_and_left_out() -> None:
    group = [(cell(seed=0), row(0.4)), (cell(seed=1), {"reason": "it broke"})]
    found = aggregate(group, None)
    assert (found["cells"], found["cells_planned"], found["seeds"]) == (1, 2, 1)
    assert found["accuracy"]["mean"] == 0.4
    found = aggregate(group[1:], None)
    assert (found["cells"], found["accuracy"]["mean"], found["leak"]) == (0, None, None)
    assert found["test_windows"] is None


def test_the_worst_leak_of_its_cells() -> None:
    group = [
        (cell(seed=s), row(leak=leak)) for s, leak in enumerate(("none", "samples", "bearing"))
    ]
    assert aggregate(group, None)["leak"] == "samples"
    assert aggregate([group[0], group[2]], None)["leak"] == "bearing"


def test_scores_that_are_undefined_are_left_out() -> None:
    group = [(cell(seed=s), {**row(), "macro_f1": f1}) for s, f1 in enumerate((None, 0.5))]
    assert aggregate(group, None)["macro_f1"]["mean"] == 0.5


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_intervals_hold_the_mean_and_end_at_the_bounds(values: list[float]) -> None:
    found = aggregate([(cell(seed=s), row(v)) for s, v in enumerate(values)], None)["accuracy"]
    low, high = found["over_seeds"]
    assert 0 <= low <= found["mean"] + 1e-12
    assert found["mean"] - 1e-12 <= high <= 1


def test_noise_has_rows_of_its_own(tmp_path: Path) -> None:
    noisy = cell(noise=(0.0, -4.0))
    plan = Plan(config(), ("net",), ("within", "loads"), (0,), (0.0, -4.0), {}, (), ())
    results = [
        (noisy, row(0.9, noise={"0.0": 0.6, "-4.0": 0.3})),
        (replace(noisy, protocol="loads", noise=()), row(0.8)),
    ]
    rows = table_rows(plan, results)
    assert [(r["protocol"], r["snr"], r["accuracy"]["mean"]) for r in rows] == [
        ("within", None, 0.9),
        ("within", 0.0, 0.6),
        ("within", -4.0, 0.3),
        ("loads", None, 0.8),
    ]
    two = replace(noisy, noise=(0.0,), kinds=("white", "pink"))
    row_of_two = row(0.9, noise={"0.0": 0.6, "pink 0.0": 0.5})
    rows = table_rows(replace(plan, protocols=("within",)), [(two, row_of_two)])
    found = [(r["kind"], r["snr"], r["accuracy"]["mean"]) for r in rows]
    assert found == [(None, None, 0.9), ("white", 0.0, 0.6), ("pink", 0.0, 0.5)]


def test_a_seed_that_lacks_a_fold_does_not_count() -> None:
    """Of an easy and a hard fold, the easy one alone would say 0.9."""
    group = [
        (cell(fold="easy", seed=0), row(0.9)),
        (cell(fold="hard", seed=0), row(0.3)),
        (cell(fold="easy", seed=1), row(0.9)),
        (cell(fold="hard", seed=1), {"reason": "it broke"}),
    ]
    found = aggregate(group, None)
    assert found["accuracy"]["mean"] == pytest.approx(0.6)
    assert (found["accuracy"]["sd"], found["cells"], found["cells_planned"]) == (None, 3, 4)


@pytest.mark.parametrize("level", LEVELS)
def test_every_level_of_the_audit_has_a_place_and_a_meaning(level: str) -> None:
    found = aggregate([(cell(), {**row(0.5), "leak": level})], None)
    assert found["leak"] == level
    assert leak_meaning(level) != level
    both = [(cell(seed=n), {**row(0.5), "leak": one}) for n, one in enumerate((level, "none"))]
    assert aggregate(both, None)["leak"] == level
