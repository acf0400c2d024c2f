"""What is fitted on held-out recordings: temperature up and down, and the novelty threshold."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from faultdiag.api.train import train
from faultdiag.checkpoint import load
from faultdiag.evaluation import PartLogits, part_logits
from faultdiag.metrics.calibration import fit_temperature
from faultdiag.novelty import NEIGHBOURS, describe, distances
from faultdiag.preparing.folder import Prepared
from faultdiag.preparing.prepare import prepare
from faultdiag.training.finishing import (
    SEEN,
    calibrate,
    fit_novelty,
    raw_windows,
    unseen_rows,
)
from tests.data_fixtures import signal, tiny_config, write_mat
from tests.training.runs import metrics

pytestmark = pytest.mark.usefixtures("no_figures")
ACROSS = {"split": {"strategy": "across_loads", "test": [2], "valid": "across"}}


@pytest.fixture(scope="module")
def loads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three faults at the loads 0, 1 and 2; their tones rise with the load."""
    root = tmp_path_factory.mktemp("loads")
    for first, frequency in ((105, 900), (118, 1700), (130, 2900)):
        for hp in range(3):
            x = signal(frequency * (1 + 0.1 * hp), 12_000, 9000, first + hp)
            write_mat(root / f"{first + hp}.mat", first + hp, DE=x)
    return root


def config_of(loads: Path, place: Path, **changes: Any) -> Any:
    return tiny_config(loads, place, data__select={}, data__healthy=[], **changes)


@pytest.fixture(scope="module")
def across(loads: Path, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(config_of(loads, tmp_path_factory.mktemp("across"), **ACROSS))


def logits_for(prepared: Prepared, scale: float, wrong: int = 0) -> PartLogits:
    valid = prepared.windows.of("valid")
    labels = valid.label.astype(np.int64)
    logits = scale * np.eye(len(prepared.classes))[labels]
    logits[:wrong] = scale * np.eye(len(prepared.classes))[(labels[:wrong] + 1) % 3]
    return PartLogits(labels, logits, valid.recording.astype(np.int64))


def test_held_out_recordings_may_raise_confidences(across: Prepared) -> None:
    assert unseen_rows(across).all()
    cool = calibrate(across, logits_for(across, 1.0))
    assert cool.value < 1
    assert cool.basis == "held-out load_hp 1"
    assert calibrate(across, logits_for(across, 20.0, wrong=9)).value > 1


def test_other_seconds_of_training_recordings_may_not(loads: Path, tmp_path: Path) -> None:
    prepared = prepare(config_of(loads, tmp_path))
    assert not unseen_rows(prepared).any()
    found = calibrate(prepared, logits_for(prepared, 1.0, wrong=1))
    said = logits_for(prepared, 1.0, wrong=1)
    assert fit_temperature(said.logits, said.labels) < 1
    assert (found.value, found.basis) == (1.0, SEEN)


def test_only_windows_of_unseen_recordings_count(loads: Path, tmp_path: Path) -> None:
    """A class with one training load is cut in time: its windows say nothing of other loads."""
    split = {"strategy": "across_loads", "test": [2], "valid": "across"}
    select = {"number": [105, 106, 107, 118, 119, 120, 130, 132]}
    prepared = prepare(
        tiny_config(loads, tmp_path, data__select=select, data__healthy=[], split=split)
    )
    unseen = unseen_rows(prepared)
    names = {prepared.recordings[i].name for i in prepared.windows.of("valid").recording[unseen]}
    assert names == {"106", "119"}
    assert not unseen.all()
    said = logits_for(prepared, 1.0)
    said.logits[~unseen] *= -1
    assert calibrate(prepared, said).value < 1


def test_the_threshold_is_that_of_other_loads(
    across: Prepared, loads: Path, tmp_path: Path
) -> None:
    held_out = fit_novelty(across)
    assert held_out.basis == "held-out load_hp values"
    valid = describe(raw_windows(across, across.windows.of("valid")))
    apart = distances(valid, held_out.reference, NEIGHBOURS)
    assert held_out.threshold == pytest.approx(np.sort(apart)[-1], rel=0.2)
    # Of six recordings three are held out.
    assert held_out.false_positive_rate == pytest.approx(1 / 4)
    alone = {"strategy": "across_loads", "test": [2], "train": [0]}
    seen = fit_novelty(prepare(config_of(loads, tmp_path, split=alone)))
    assert seen.basis == SEEN
    assert held_out.threshold > 1.5 * seen.threshold


def test_a_refit_knows_validation_windows_and_compares_all_groups(across: Prepared) -> None:
    fitted = fit_novelty(across, refit=True)
    parts = [describe(raw_windows(across, across.windows.of(p))) for p in ("train", "valid")]
    np.testing.assert_array_equal(fitted.reference, np.concatenate(parts))
    # Each load is compared with the other.
    assert fitted.basis == "held-out load_hp values"
    assert fitted.false_positive_rate == pytest.approx(1 / 7)
    apart = [distances(part, other, NEIGHBOURS) for part, other in (parts, parts[::-1])]
    assert fitted.threshold >= np.quantile(np.concatenate(apart), 0.99)


def test_without_other_groups_a_refit_has_the_threshold_of_before(
    loads: Path, tmp_path: Path
) -> None:
    split = {"strategy": "across_loads", "test": [2], "train": [0]}
    prepared = prepare(config_of(loads, tmp_path, split=split))
    before, fitted = fit_novelty(prepared), fit_novelty(prepared, refit=True)
    assert (fitted.basis, fitted.threshold) == (SEEN, before.threshold)
    assert len(fitted.reference) > len(before.reference)


def test_recordings_are_held_out_where_no_fact_is(loads: Path, tmp_path: Path) -> None:
    fitted = fit_novelty(prepare(config_of(loads, tmp_path)))
    assert fitted.basis == "held-out recordings"
    assert fitted.false_positive_rate == pytest.approx(1 / 10)


def test_the_run_says_what_was_fitted_on_what(loads: Path, tmp_path: Path) -> None:
    run = train(config_of(loads, tmp_path, **ACROSS), run=tmp_path / "run", device="cpu")
    found = metrics(run.folder)
    assert found["calibration"]["fitted_on"] == "held-out load_hp 1"
    assert found["novelty"]["fitted_on"] == "held-out load_hp values"
    source = load(run.folder)
    assert source.calibration["fitted_on"] == "held-out load_hp 1"
    assert source.temperature == found["calibration"]["temperature"]
    assert source.novelty is not None
    assert source.novelty.basis == "held-out load_hp values"
    prepared = prepare(config_of(loads, tmp_path, **ACROSS))
    valid = part_logits(
        source.build(torch.device("cpu")),
        prepared,
        "valid",
        classes=source.classes,
        device=torch.device("cpu"),
    )
    assert calibrate(prepared, valid).value == pytest.approx(source.temperature)
