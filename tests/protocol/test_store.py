"""Finished cells on the disk: kept at once, found again, and torn lines passed over."""

import json
from pathlib import Path

import pytest

from faultdiag.config.schema import load_config
from faultdiag.errors import FaultdiagError
from faultdiag.protocol.results import Store, cell_key
from tests.data_fixtures import full_disk
from tests.protocol.cells import config, row


def test_a_row_is_found_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "new" / "out")
    assert store.get("a", ()) is None
    store.add({"key": "a", **row(0.7)})
    again = Store(tmp_path / "new" / "out").get("a", ())
    assert again is not None
    assert again["accuracy"] == 0.7


def test_a_row_without_all_levels_of_noise_is_not_finished(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add({"key": "a", **row(noise={"0.0": 0.4, "4.0": 0.6})})
    assert store.get("a", ("4.0",)) is not None
    assert store.get("a", ("4.0", "6.0")) is None
    store.add({"key": "a", **row(noise={"4.0": 0.6, "6.0": 0.7})})
    assert Store(tmp_path).get("a", ("4.0", "6.0")) is not None


@pytest.mark.parametrize("torn", [b'{"key": "b", "acc', b'{"key": "b"}', b"7\n", b"\xff\xfe"])
def test_a_torn_last_line_costs_its_own_cell_only(tmp_path: Path, torn: bytes) -> None:
    Store(tmp_path).add({"key": "a", **row()})
    with (tmp_path / "cells.jsonl").open("ab") as file:
        file.write(torn)
    store = Store(tmp_path)
    assert store.get("a", ()) is not None
    assert store.get("b", ()) is None
    store.add({"key": "b", **row()})
    store.add({"key": "c", **row()})
    assert all(Store(tmp_path).get(key, ()) for key in "abc")


def test_a_folder_that_can_not_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        FaultdiagError, match=r"cannot use .*cells\.jsonl: Not a directory; give an"
    ):
        Store(tmp_path / "file" / "out")


def test_a_full_disk(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with (
        full_disk(10),
        pytest.raises(FaultdiagError, match=r"cannot write .*cells\.jsonl: File too"),
    ):
        store.add({"key": "a", **row()})
    assert Store(tmp_path).get("a", ()) is None


def test_what_a_cell_is_known_by() -> None:
    plain = config(epochs=3)
    moved = plain.model_copy(
        update={
            "data": plain.data.model_copy(update={"root": Path("there"), "prepared": Path("x")}),
            "train": plain.train.model_copy(
                update={"threads": 2, "mlflow": "http://there", "tensorboard": True}
            ),
        }
    )
    assert cell_key(plain, "data") == cell_key(moved, "data")
    assert cell_key(plain, "data") != cell_key(plain, "other data")
    assert cell_key(plain, "data") != cell_key(config(epochs=4), "data")
    assert cell_key(plain, "data") != cell_key(plain.model_copy(update={"seed": 1}), "data")


def test_the_key_of_a_cell_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells that were finished before ``train.mlflow`` came are not trained again."""
    monkeypatch.setattr("faultdiag.protocol.results.version", lambda _: "1")
    demo = load_config(Path(__file__).parents[2] / "configs" / "demo.yaml")
    assert cell_key(demo, "data") == "e98bb44f2f7c45328683a8ff69c082e6"


def test_a_line_is_one_json_document(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add({"key": "a", **row(), "cell": "über\n0→1"})
    (line,) = (tmp_path / "cells.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["cell"] == "über\n0→1"
