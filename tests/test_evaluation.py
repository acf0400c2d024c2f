"""Metrics of a model on a part, and when the data doesn't fit the model."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from faultdiag.checkpoint import load
from faultdiag.errors import FaultdiagError
from faultdiag.evaluation import (
    describe_split,
    evaluate_part,
    read_split,
    require_fit,
    same_recordings,
)
from faultdiag.inference import WindowBatches
from faultdiag.preparing.folder import Prepared
from faultdiag.preparing.prepare import prepare
from tests.data_fixtures import tiny_config, write_recording, write_recordings

CPU = torch.device("cpu")


def test_metrics_are_those_of_the_networks_own_answers(trained: Path, prepared: Prepared) -> None:
    source = load(trained)
    network = source.build(CPU)
    result = evaluate_part(
        network, prepared, "valid", classes=source.classes, healthy=("N",), device=CPU
    )
    batches = WindowBatches(prepared, prepared.windows.of("valid"), CPU)
    rows = torch.arange(len(batches))
    with torch.inference_mode():
        called = network(batches.windows(rows)).argmax(1)
    labels = batches.labels(rows)
    assert result["windows"] == len(rows)
    assert result["recordings"] == 3
    assert result["accuracy"] == (called == labels).double().mean().item()
    matrix = np.zeros((3, 3), int)
    np.add.at(matrix, (labels.numpy(), called.numpy()), 1)
    assert result["confusion"] == {"labels": ["B", "IR", "N"], "matrix": matrix.tolist()}
    named = {row["recording"]: row["label"] for row in result["recording"]["rows"]}
    assert named == {"97": "N", "105": "IR", "118": "B"}


def test_data_with_fewer_classes_is_scored_by_the_models_classes(
    trained: Path, recordings: Path, prepared_root: Path
) -> None:
    source = load(trained)
    some = prepare(tiny_config(recordings, prepared_root, data__select={"number": [97, 118]}))
    require_fit(source, some)
    result = evaluate_part(
        source.build(CPU), some, "test", classes=source.classes, healthy=("N",), device=CPU
    )
    assert result["confusion"]["labels"] == ["B", "IR", "N"]
    matrix = np.array(result["confusion"]["matrix"])
    assert matrix[1].sum() == 0
    assert matrix.sum(1)[[0, 2]].tolist() == [
        some.windows.of("test").label.tolist().count(label) for label in (0, 1)
    ]
    assert result["recording"]["rows"][0]["label"] == "N"


def test_without_a_healthy_class_alarms_are_undefined(trained: Path, prepared: Prepared) -> None:
    source = load(trained)
    result = evaluate_part(
        source.build(CPU), prepared, "test", classes=source.classes, healthy=("?",), device=CPU
    )
    assert result["false_alarm_rate"] is None


def test_noise_is_on_the_part_asked_for_and_the_same_every_time(
    trained: Path, prepared: Prepared
) -> None:
    source = load(trained)
    network = source.build(CPU)

    def at(snr: float | None) -> dict[str, object]:
        return evaluate_part(
            network,
            prepared,
            "test",
            classes=source.classes,
            healthy=("N",),
            device=CPU,
            snr=snr,
        )

    quiet = at(None)
    assert at(-20) == at(-20)
    assert at(-20) != quiet
    # At 80 dB the noise is far below what changes a decision.
    assert at(80)["confusion"] == quiet["confusion"]
    assert at(None) == quiet


def test_what_stands_beside_every_number(prepared: Prepared) -> None:
    found = describe_split(prepared)
    assert list(found) == [
        "strategy",
        "shared_samples",
        "leaking_test_windows",
        "valid_test_overlap",
        "disjoint_windows",
        "pairs",
        "leak",
        "leak_by_class",
        "duplicates",
        "notes",
    ]
    assert found["leak"] == "recording"
    assert found["strategy"] == "within_recording"
    assert (found["shared_samples"], found["leaking_test_windows"]) == (0, 0.0)
    assert found["disjoint_windows"]["test"] == len(prepared.windows.of("test"))
    assert json.loads(json.dumps(found)) == found


def test_data_that_does_not_fit_the_model_is_refused_all_at_once(
    trained: Path, recordings: Path, prepared_root: Path
) -> None:
    other = prepare(
        tiny_config(
            recordings,
            prepared_root,
            data__channels=["FE"],
            data__sampling_rate=6000,
            data__label="{fault}",
            window__length=300,
        )
    )
    with pytest.raises(FaultdiagError) as error:
        require_fit(load(trained), other)
    assert str(error.value) == (
        "data.channels is [FE], the model was trained with [DE]; "
        "data.sampling_rate is 6000, the model was trained with 12000; "
        "window.length is 300, the model was trained with 256; "
        "the data has the classes ball, inner, normal, the model knows B, IR, N; "
        "set data.label and data.select to give those"
    )


def test_one_class_too_many_is_named(trained: Path, prepared: Prepared) -> None:
    source = replace(load(trained), classes=("B", "N"))
    with pytest.raises(FaultdiagError, match="the data has the classes IR, the model knows B, N;"):
        require_fit(source, prepared)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return write_recordings(tmp_path / "mine")


def test_recordings_that_changed_are_named(trained: Path, mine: Path, prepared_root: Path) -> None:
    config = tiny_config(mine, prepared_root)
    split = read_split(trained)
    same_recordings(split, prepare(config))
    write_recording(mine / "105.mat", 105, seed=3)
    with pytest.raises(
        FaultdiagError,
        match=r"the data is not what the run was trained on: \S+/mine/105\.mat has changed; "
        r"restore it, train again, or evaluate other data on purpose with --config",
    ):
        same_recordings(split, prepare(config))
    (mine / "105.mat").unlink()
    with pytest.raises(FaultdiagError, match=r"trained on: recording 105 is missing; restore it"):
        same_recordings(split, prepare(config))


def test_recordings_that_were_added_are_named(
    recordings: Path, mine: Path, prepared_root: Path, trained: Path
) -> None:
    shutil.copy(mine / "118.mat", mine / "119.mat")
    more = tiny_config(mine, prepared_root, data__select={"number": [97, 105, 118, 119]})
    with pytest.raises(
        FaultdiagError, match=r"trained on: \S+/mine/119\.mat was not there; restore it, or so"
    ):
        same_recordings(read_split(trained), prepare(more), "or so")


def test_another_cut_of_the_same_recordings(trained: Path, prepared: Prepared) -> None:
    split = read_split(trained)
    split["parts"]["test"][0][1] += 1
    with pytest.raises(
        FaultdiagError, match="another version of faultdiag cut it into other parts; restore it"
    ):
        same_recordings(split, prepared)


@pytest.mark.parametrize("text", [None, "{", "[]", '{"parts": {}}'])
def test_a_split_that_cannot_be_read(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "split.json").write_text(text)
    with pytest.raises(
        FaultdiagError,
        match=r"cannot read \S+split\.json, which says what the run was trained on: .*; "
        r"restore it, or train again",
    ):
        read_split(tmp_path)
