"""Transfer as an axis of a comparison: rows, targets, a part of the cells, what a cell keeps."""

import re
from pathlib import Path
from typing import Any

import pytest

from faultdiag.config.schema import parse_config
from faultdiag.errors import FaultdiagError
from faultdiag.preparing.prepare import prepare
from faultdiag.protocol.cell import run_cell
from faultdiag.protocol.plan import Plan, merged, read_plan
from faultdiag.protocol.results import aggregate
from faultdiag.protocol.run import finish
from faultdiag.report.protocol import cells_csv, document, markdown, table_csv
from faultdiag.system import files
from tests.protocol.cells import cell, row
from tests.training.transfer_data import transfer_document, write_domains

PAIRS = {"split": {"strategy": "across_loads", "folds": "pairs", "gap": 256}}
ENDS = {
    "split": {"strategy": "within_recording", "gap": 256},
    "transfer": {"target": {"fact": "load_hp", "values": [2]}, "adapt": 0.4},
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_domains(tmp_path_factory.mktemp("domains") / "data")


def plan_of(root: Path, folder: Path, changes: dict[str, Any] | None = None, **axes: Any) -> Plan:
    section = {"seeds": 1, "protocols": {"loads": PAIRS}, "noise": None, **axes}
    usual = {"train__epochs": 2, "transfer": {"method": "mk_mmd", "kernels": 3}, **(changes or {})}
    data = transfer_document(root, root.parent / "prepared", **usual)
    path = folder / "compare.yaml"
    path.write_text(files.dump({**data, "protocol": section}))
    return read_plan(path)


def problem_of(root: Path, folder: Path, **axes: Any) -> str:
    with pytest.raises(FaultdiagError) as caught:
        plan_of(root, folder, **axes)
    return str(caught.value)


def transfers(plan: Plan) -> dict[str, Any]:
    return {c.model: c.config.transfer for c in plan.cells}


def test_a_row_per_method(root: Path, tmp_path: Path) -> None:
    methods = ["none", "adabn", "mk_mmd", {"method": "dann", "weight": 0.5}]
    plan = plan_of(root, tmp_path, transfer=methods)
    assert plan.models == ("cnn1d", "cnn1d, adabn", "cnn1d, mk_mmd", "cnn1d, dann")
    assert plan.reference == "cnn1d"
    assert len(plan.cells) == 4 * 6
    found = transfers(plan)
    assert [t.method for t in found.values()] == ["none", "adabn", "mk_mmd", "dann"]
    assert found["cnn1d, mk_mmd"].options == {"kernels": 3}, "the config's own method keeps them"
    assert found["cnn1d, adabn"].options == {}, "they are no options of another method"
    assert found["cnn1d, dann"].weight == 0.5


def test_two_rows_of_one_method_are_told_apart(root: Path, tmp_path: Path) -> None:
    methods = [{"method": "mk_mmd", "kernels": n} for n in (1, 5)]
    plan = plan_of(root, tmp_path, transfer=methods)
    assert plan.models == ("cnn1d, mk_mmd {kernels: 1}", "cnn1d, mk_mmd {kernels: 5}")


def test_a_baseline_has_the_same_target_and_adapts_to_nothing(root: Path, tmp_path: Path) -> None:
    models = {"net": {}, "trees": {"model": {"name": "random_forest"}}}
    plan = plan_of(root, tmp_path, models=models, transfer=["none", "mk_mmd"])
    assert plan.models == ("net", "net, mk_mmd", "trees")
    assert transfers(plan)["trees"].method == "none"


def test_a_protocol_says_what_the_target_is(root: Path, tmp_path: Path) -> None:
    plan = plan_of(root, tmp_path, transfer=["none", "coral"], protocols={"a": PAIRS, "b": ENDS})
    last = plan.cells[-1].config.transfer
    assert last is not None
    assert (plan.cells[-1].protocol, last.method, last.adapt) == ("b", "coral", 0.4)
    assert last.target == {"fact": "load_hp", "values": [2]}


def test_a_target_and_another_dataset_replace_those_below() -> None:
    base = {"transfer": {"target": {"fact": "end", "values": ["FE"]}}, "data": {"dataset": "cwru"}}
    change = {"transfer": {"target": {"dataset": "mfpt"}}, "data": {"dataset": "uestc"}}
    assert merged({**base, "data": {**base["data"], "select": {"size": ["007"]}}}, change) == change


@pytest.mark.parametrize(
    ("axes", "problem"),
    [
        ({"transfer": "mk_mmd"}, "protocol.transfer: found 'mk_mmd'; write a list of methods"),
        ({"transfer": []}, "protocol.transfer: found []; write a list of methods"),
        ({"transfer": [{"weight": 1}]}, "protocol.transfer: found [{'weight': 1}]; write a list"),
        ({"transfer": ["dann", "dann"]}, "protocol.transfer: found ['dann', 'dann']; name each"),
        (
            {"only": ["load"]},
            "protocol.only: unknown name 'load' (did you mean 'loads'?); known: loads, cnn1d, 0→1",
        ),
        ({"only": "loads"}, "protocol.only: found 'loads'; write a list of names"),
    ],
)
def test_a_problem(axes: dict[str, Any], problem: str, root: Path, tmp_path: Path) -> None:
    assert problem in problem_of(root, tmp_path, **axes)


def test_a_part_of_the_cells(root: Path, tmp_path: Path) -> None:
    axes: dict[str, Any] = {"transfer": ["none", "coral"], "protocols": {"a": PAIRS, "b": ENDS}}
    whole = plan_of(root, tmp_path, **axes)
    part = plan_of(root, tmp_path, **axes, only=["a", "cnn1d, coral", "0→2", "2→0"])
    assert [(c.model, c.protocol, c.fold) for c in part.cells] == [
        ("cnn1d, coral", "a", "0→2"),
        ("cnn1d, coral", "a", "2→0"),
    ]
    assert (part.models, part.protocols) == (("cnn1d, coral",), ("a",))
    assert all(c in whole.cells for c in part.cells), "its cells are those of the whole comparison"
    assert "no cell is of all of b, 0→2" in problem_of(root, tmp_path, **axes, only=["b", "0→2"])


def test_methods_share_what_is_prepared(root: Path, tmp_path: Path) -> None:
    plan = plan_of(root, tmp_path, transfer=["none", "coral"], only=["0→2"])
    prepared = root.parent / "prepared"
    before = {*prepared.glob("*")}

    def work(*_: Any, **__: Any) -> Any:
        return row()

    finish(plan, out=tmp_path / "out", jobs=1, device="cpu", work=work)
    assert len({*prepared.glob("[0-9a-f]*")} - before) == 1


def cell_of(root: Path, folder: Path, **changes: Any) -> Any:
    transfer = {"method": "mk_mmd_mcc", "start_epoch": 1, "guard": "none"}
    usual = {"train__epochs": 2, "transfer": transfer, **changes}
    config = parse_config(transfer_document(root, root.parent / "prepared", **usual))
    (folder / "working").mkdir()
    found = run_cell(config, (), device="cpu", folder=folder / "working")
    assert "reason" not in found, found.get("reason")
    return found


def test_windows_dealt_by_the_seed_are_prepared_for_each(root: Path, tmp_path: Path) -> None:
    for hold_out, count in (("time", 1), ("windows", 2)):
        transfer = {"method": "none", "hold_out": hold_out, "adapt": 0.55}
        plan = plan_of(root, tmp_path, {"transfer": transfer}, only=["0→1"], seeds=2)
        names = {prepare(cell.config).document["identity"] for cell in plan.cells}
        assert len(names) == count


@pytest.mark.usefixtures("no_figures")
def test_a_cell_keeps_both_figures(root: Path, tmp_path: Path) -> None:
    found = cell_of(root, tmp_path)
    kept = found["transfer"]
    assert kept["adapted"] == found["accuracy"], "without a guard the adapted model is kept"
    assert all(0 <= kept[key] <= 1 for key in ("before", "transductive", "source"))
    assert {"agreement_before", "confusion_after", "information_after"} <= kept.keys()
    assert (kept["method"], kept["refused"], found["leak"]) == ("mk_mmd_mcc", False, "recording")
    assert not (tmp_path / "tensorboard").exists()


@pytest.mark.usefixtures("no_figures")
def test_tensorboard_has_both_losses_of_every_cell(root: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    cell_of(root, tmp_path, train__tensorboard=True)
    (events,) = (tmp_path / "tensorboard").iterdir()
    assert re.fullmatch(r"cnn1d-mk_mmd_mcc-across_loads-seed0-[0-9a-f]{8}", events.name)
    written = b"".join(path.read_bytes() for path in events.iterdir())
    assert b"train/loss" in written
    assert b"transfer/loss" in written


def transferred(accuracy: float, *, refused: bool = False) -> Any:
    scores = {"before": 0.8, "adapted": 0.4 if refused else accuracy, "transductive": 0.9}
    text = {"agreement_before": 0.9, "agreement_after": 0.9, "warning": None}
    kept = {"method": "mk_mmd", "source": 1.0, "refused": refused, **scores, **text}
    return row(accuracy, transfer=kept, key="k")


def test_the_row_names_the_worst_cell_and_counts_refusals() -> None:
    group = [
        (cell(fold=fold, seed=seed), transferred(accuracy, refused=accuracy == 0.8))
        for fold, seed, accuracy in (("a", 0, 0.8), ("b", 0, 0.7), ("a", 1, 0.9), ("b", 1, 0.9))
    ]
    found = aggregate(group, None)["transfer"]
    assert found["worst"] == {"accuracy": 0.7, "fold": "b", "seed": 0}
    assert found["refused"] == 1
    assert found["adapted"]["mean"] == pytest.approx((0.4 + 0.7 + 0.9 + 0.9) / 4)
    assert aggregate([(cell(), row())], None)["transfer"] is None


def test_the_table_of_transfer(root: Path, tmp_path: Path) -> None:
    plan = plan_of(root, tmp_path, transfer=["none", "mk_mmd"], only=["0→2"])
    results = [(c, transferred(0.75, refused=True)) for c in plan.cells]
    made = document(plan, results, {}, "methods")
    lines = [re.split(r" +\| +", line.strip("| ")) for line in markdown(made).splitlines()]
    assert lines.index(["## Transfer"]) > 0
    expected = ["80.0", "40.0", "75.0", "75.0 (0→2, seed 0)", "90.0", "100.0", "1 of 1"]
    assert ["loads", "cnn1d, mk_mmd", *expected, "recording"] in lines
    assert "transfer_before" in table_csv(made).splitlines()[0]
    assert "transfer_worst" in table_csv(made).splitlines()[0]
    assert "transfer_agreement_after" in cells_csv(made).splitlines()[0]
    without = document(plan, [(c, row(key="k")) for c in plan.cells], {}, "none")
    assert "## Transfer" not in markdown(without)
