"""Paired differences to a reference, and the table for LaTeX."""

from types import SimpleNamespace
from typing import Any

import pytest

from faultdiag.metrics.intervals import paired_difference
from faultdiag.protocol.results import compare


def results(offset: float) -> list[Any]:
    """Three folds and two seeds of two models, the second better by `offset` and a little more."""
    rows = []
    for fold in range(3):
        for seed in range(2):
            for model, more in (("A", 0.0), ("B_1 & C", offset + 0.001 * (fold + seed))):
                cell = SimpleNamespace(protocol="loads", model=model, fold=str(fold), seed=seed)
                rows.append((cell, {"accuracy": 0.8 + 0.01 * fold + more, "test_to_train": 0.5}))
    return rows


def plan() -> Any:
    cells = tuple(cell for cell, _ in results(0.0))
    return SimpleNamespace(protocols=("loads",), models=("A", "B_1 & C"), cells=cells)


def test_differences_are_paired_by_fold_and_seed() -> None:
    (row,) = compare(plan(), results(0.05), "A")
    expected = paired_difference([0.05 + 0.001 * (f + s) for f in range(3) for s in range(2)], 0.5)
    assert (row["model"], row["reference"], row["pairs"]) == ("B_1 & C", "A", 6)
    assert row["difference"] == pytest.approx(expected.mean)
    assert row["interval"] == pytest.approx([expected.low, expected.high])
    assert row["p"] == row["p_holm"] == pytest.approx(expected.p, rel=1e-6)


def test_cells_without_a_partner_are_left_out() -> None:
    some = [pair for pair in results(0.05) if pair[0].fold != "0" or pair[0].model == "A"]
    assert compare(plan(), some, "A")[0]["pairs"] == 4
    none = [pair for pair in results(0.05) if pair[0].model == "A"]
    (row,) = compare(plan(), none, "A")
    assert (row["pairs"], row["difference"], row["p_holm"]) == (0, None, None)
