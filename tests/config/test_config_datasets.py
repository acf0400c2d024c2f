"""Options of datasets in the section ``data``: checked with the rest, kept, and acted upon."""

import re
from pathlib import Path
from typing import Any

import pytest

from faultdiag.config.schema import parse_config
from faultdiag.errors import FaultdiagError
from faultdiag.preparing.prepare import prepare
from faultdiag.system.files import parse
from tests.data_fixtures import signal

WINDOW = {"length": 256, "stride": 128}


def config(data: dict[str, Any]) -> Any:
    return parse_config({"data": data, "window": WINDOW}, "my.yaml")


def test_all_problems_are_told_at_once() -> None:
    data = {
        "dataset": "folder",
        "rot": "x",
        "patern": "{a}",
        "file": "x",
        "pattern": "{a:letters}",
        "recorded_at": -3,
        "rpm": True,
        "channels": [],
    }
    with pytest.raises(FaultdiagError) as caught:
        config(data)
    head, *lines = str(caught.value).split("\n  ")
    assert head == "my.yaml has 7 problems:"
    for expected in (
        "data.rot: unknown key (did you mean 'root'?); known: dataset, root, channels, sampling_r",
        "data.patern: unknown key (did you mean 'pattern'?); known: dataset, root",
        "data.file: unknown key; known: dataset",
        "data.pattern: dataset 'folder': pattern is '{a:letters}'; '{a:letters}', field 'a': unkn",
        "data.recorded_at: dataset 'folder': recorded_at is -3; Input should be greater than 0",
        "data.rpm: dataset 'folder': rpm is True; Input should be a valid number",
        "data.channels is []; write at least 1",
    ):
        assert any(line.startswith(expected) for line in lines), expected


def test_an_unknown_dataset() -> None:
    expected = "data.dataset: unknown dataset 'foldr' (did you mean 'folder'?); known: cwru, femto"
    with pytest.raises(FaultdiagError, match=re.escape(expected)):
        config({"dataset": "foldr", "pattern": "{a}"})


def test_options_are_kept_and_label_follows_the_dataset() -> None:
    found = config({"dataset": "folder", "pattern": ["{a}_{b}"], "recorded_at": 12000})
    assert found.data.options == {"pattern": ["{a}_{b}"], "recorded_at": 12000}
    assert found.data.label == "{label}"
    assert parse_config(parse(found.to_yaml(), "config.yaml")) == found
    assert config({"dataset": "mfpt"}).data.label == "{code}"
    assert config({"dataset": "folder", "label": "{a}"}).data.label == "{a}"
    assert config({}).data.label == "{code}{size}"


@pytest.fixture
def rig(tmp_path: Path) -> Path:
    """Two classes, one array a file, each under a name of its own."""
    from scipy.io import savemat

    root = tmp_path / "rig"
    root.mkdir()
    for i, name in enumerate(("N_900", "IR_900")):
        x = signal(500 + 1000 * i, 12_000, 6000, i)
        savemat(root / f"{name}.mat", {f"VarName{i}": x[:, None]})
    return root


def test_channels_by_their_number_are_told(rig: Path, tmp_path: Path) -> None:
    data = {
        "dataset": "folder",
        "root": str(rig),
        "prepared": str(tmp_path / "prepared"),
        "pattern": "{fault}_{rpm}",
        "label": "{fault}",
        "recorded_at": 12000,
    }
    prepared = prepare(config(data))
    assert prepared.notes == [
        "no channel is called DE in 2 recordings, so the same number of theirs were taken: "
        "IR_900 (VarName1), N_900 (VarName0)"
    ]
    assert prepared.channels == ("DE",)
    assert [r.rpm for r in prepared.recordings] == [900, 900]
    # An option that changes what is prepared changes where; the same one finds it again.
    assert prepare(config(data)).folder == prepared.folder
    for key, value in (("recorded_at", 6000), ("pattern", "{fault}_{speed}")):
        assert prepare(config({**data, key: value})).folder != prepared.folder
    with pytest.raises(FaultdiagError, match=r"has 1 channel \(VarName1\), data.channels asks"):
        prepare(config({**data, "channels": ["DE", "FE"]}))
    with pytest.raises(FaultdiagError, match=r"state it where the dataset takes it \(data\.recor"):
        prepare(config({k: v for k, v in data.items() if k != "recorded_at"}))


def test_the_label_names_a_fact_that_is_none(rig: Path) -> None:
    data = {"dataset": "folder", "root": str(rig), "pattern": "{falt}_{rpm}", "label": "{fault}"}
    with pytest.raises(FaultdiagError, match=r"the fact 'fault' \(did you mean 'falt'\?\)"):
        prepare(config(data))
    with pytest.raises(FaultdiagError, match=r"gives 2 recordings the one class '900'"):
        prepare(config({**data, "label": "{rpm}"}))


def test_a_manifest_says_which_channel_is_meant(rig: Path, tmp_path: Path) -> None:
    from scipy.io import savemat

    for i, name in enumerate(("N_900", "IR_900")):
        x = signal(500 + 1000 * i, 12_000, 6000, i)
        savemat(rig / f"{name}.mat", {f"a{i}": x[:, None], f"b{i}": 7 * x[:, None]})
    table = "path,label,sampling_rate,channel\nN_900.mat,N,12000,b0\nIR_900.mat,IR,12000,{}\n"
    (rig / "manifest.csv").write_text(table.format("b1"))
    data = {"dataset": "manifest", "root": str(rig), "prepared": str(tmp_path / "prepared")}
    prepared = prepare(config(data))
    assert (prepared.classes, prepared.notes) == (("IR", "N"), [])
    row = prepared.recordings[0]
    taken = prepared.signals[row.offset : row.offset + row.samples]
    assert taken.tolist() == pytest.approx((7 * signal(500, 12_000, 6000, 0)).tolist(), rel=1e-5)
    (rig / "manifest.csv").write_text(table.format("a1"))
    assert prepare(config(data)).folder != prepared.folder
    (rig / "manifest.csv").write_text(table.format('"a1,b1"'))
    with pytest.raises(
        FaultdiagError, match=r"IR_900\.mat: 2 channels \(a1, b1\) given, data\.channels asks for 1"
    ):
        prepare(config(data))
