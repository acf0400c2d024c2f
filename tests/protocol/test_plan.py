"""From a config to cells: every axis, what an override replaces, and all problems at once."""

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from faultdiag.config.schema import load_config
from faultdiag.errors import FaultdiagError
from faultdiag.protocol.plan import Plan, merged, read_plan
from faultdiag.protocol.results import compare, table_rows
from faultdiag.system import files
from tests.data_fixtures import tiny
from tests.protocol.cells import row, write_two_loads

LOADS = {"split": {"strategy": "across_loads", "folds": "pairs"}}


@pytest.fixture(scope="module")
def two_loads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_two_loads(tmp_path_factory.mktemp("loads"))


def written(folder: Path, root: Path, protocol: Any = None, **changes: Any) -> Path:
    data = tiny(root, folder / "prepared", data__select={"number": [105, 106, 118, 119]}, **changes)
    if protocol is not None:
        data["protocol"] = protocol
    path = folder / "compare.yaml"
    path.write_text(files.dump(data))
    return path


def plan_of(folder: Path, root: Path, protocol: Any = None, **changes: Any) -> Plan:
    return read_plan(written(folder, root, protocol, **changes))


def test_other_commands_ignore_the_section(tmp_path: Path, two_loads: Path) -> None:
    plain = load_config(written(tmp_path, two_loads))
    assert load_config(written(tmp_path, two_loads, {"nonsense": 1})) == plain
    assert "protocol" not in plain.to_yaml()


def test_every_model_protocol_fold_and_seed(tmp_path: Path, two_loads: Path) -> None:
    protocol = {
        "seeds": [3, 8],
        "models": {
            "A": {},
            "B": {"model": {"name": "wdcnn"}, "window": {"length": 512, "stride": 99}},
        },
        "protocols": {"within": {}, "loads": {**LOADS, "train": {"epochs": 7}}},
        "noise": [0, 6],
    }
    plan = plan_of(tmp_path, two_loads, protocol)
    assert [(c.seed, c.protocol, c.model, c.fold) for c in plan.cells] == [
        (seed, protocol, model, fold)
        for seed in (3, 8)
        for protocol, folds in (("within", [""]), ("loads", ["0→1", "1→0"]))
        for model in "AB"
        for fold in folds
    ]
    for cell in plan.cells:
        assert cell.config.seed == cell.seed
        assert cell.config.train.epochs == (7 if cell.protocol == "loads" else 3)
        assert cell.config.window.length == (512 if cell.model == "B" else 256)
        assert cell.noise == ((0.0, 6.0) if cell.protocol == "within" else ())
    sides = {
        c.fold: (c.config.split.options["train"], c.config.split.options["test"])
        for c in plan.cells
        if c.fold
    }
    assert sides == {"0→1": ([0], [1]), "1→0": ([1], [0])}


def test_a_protocol_compares_the_rows_that_it_names(tmp_path: Path, two_loads: Path) -> None:
    protocol = {
        "seeds": 1,
        "models": {"A": {}, "B": {"model": {"name": "wdcnn"}}},
        "protocols": {"within": {}, "loads": {**LOADS, "models": ["B"]}},
        "noise": None,
    }
    plan = plan_of(tmp_path, two_loads, protocol)
    rows = {(cell.protocol, cell.model) for cell in plan.cells}
    assert rows == {("within", "A"), ("within", "B"), ("loads", "B")}
    assert plan.splits["loads"]["strategy"] == "across_loads"
    results: list[Any] = [(cell, row()) for cell in plan.cells]
    shown = [(r["protocol"], r["model"]) for r in table_rows(plan, results) if r["snr"] is None]
    assert shown == [("within", "A"), ("within", "B"), ("loads", "B")]
    # There is no reference to compare with across loads.
    assert [r["protocol"] for r in compare(plan, results, "A")] == ["within"]


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        (["a"], "protocol.protocols.loads.models: unknown row 'a' (did you mean 'A'?); known: A"),
        ([], "protocol.protocols: loads.models is []; write a list of rows of the table"),
        ("A", "protocol.protocols: loads.models is 'A'; write a list of rows of the table"),
    ],
)
def test_rows_that_a_protocol_can_not_compare(
    models: Any, expected: str, tmp_path: Path, two_loads: Path
) -> None:
    protocol = {"models": {"A": {}}, "protocols": {"loads": {**LOADS, "models": models}}}
    with pytest.raises(FaultdiagError, match=re.escape(expected)):
        plan_of(tmp_path, two_loads, protocol)


def test_an_override_that_names_its_subject_replaces_the_section() -> None:
    base = {
        "model": {"name": "cnn1d", "widths": [4], "attention": {"name": "eca"}},
        "window": {"length": 256, "per_class": 10},
        "train": {"epochs": 3, "l2": 0.1},
        "data": {"select": {"number": [1]}},
    }
    before = deepcopy(base)
    changed = merged(
        base,
        {
            "model": {"name": "wdcnn"},
            "window": {"length": 512, "stride": 9},
            "train": {"epochs": 4},
            "data": {"select": {"size": ["007"]}, "healthy": []},
        },
    )
    assert changed == {
        "model": {"name": "wdcnn"},
        "window": {"length": 512, "stride": 9},
        "train": {"epochs": 4, "l2": 0.1},
        "data": {"select": {"number": [1], "size": ["007"]}, "healthy": []},
    }
    assert base == before
    assert merged(base, {"model": {"attention": None}})["model"] == {
        "name": "cnn1d",
        "widths": [4],
        "attention": None,
    }


def test_axes_multiply_networks_only(tmp_path: Path, two_loads: Path) -> None:
    protocol = {
        "models": {
            "CNN": {},
            "own": {"model": {"name": "cnn1d", "attention": {"name": "se", "after": [1]}}},
            "dummy": {"model": {"name": "dummy"}},
        },
        "attention": [None, {"name": "eca", "after": [1]}, {"name": "eca", "after": [2]}],
        "representations": ["raw", "envelope"],
        "protocols": {"within": {}},
        "seeds": 1,
    }
    plan = plan_of(tmp_path, two_loads, protocol)
    assert plan.models == (
        *("CNN", "CNN on envelope"),
        *("CNN + eca {after: [1]}", "CNN + eca {after: [1]} on envelope"),
        *("CNN + eca {after: [2]}", "CNN + eca {after: [2]} on envelope"),
        *("own", "own on envelope", "dummy"),
    )
    models = {cell.model: cell.config.model for cell in plan.cells}
    assert models["CNN + eca {after: [2]} on envelope"].attention == {"name": "eca", "after": [2]}
    assert models["CNN + eca {after: [2]} on envelope"].representation == "envelope"
    assert models["own"].attention == {"name": "se", "after": [1]}
    assert models["dummy"].attention is None
    assert models["CNN"].options["widths"] == [4, 8]


def test_without_a_section_the_config_and_its_recordings_choose(
    tmp_path: Path, two_loads: Path
) -> None:
    plan = plan_of(tmp_path, two_loads)
    assert plan.models == ("cnn1d",)
    assert plan.protocols == ("within_recording", "across_loads")
    assert plan.seeds == (0, 1, 2, 3, 4)
    assert len(plan.cells) == 5 * (1 + 2)
    assert {c.noise for c in plan.cells if c.protocol == "within_recording"} == {plan.noise}
    left_out = [note for note in plan.notes if "left out" in note]
    [sizes] = left_out
    assert sizes.startswith("across_sizes is left out: it needs two values of size, the recordings")


def test_a_class_at_one_load_only_leaves_the_loads_out(tmp_path: Path, two_loads: Path) -> None:
    plan = plan_of(tmp_path, two_loads, data__label="{code}{load_hp}")
    # Without the load in the label there are two classes, at both loads.
    assert "across_loads" in plan.protocols
    assert next(c for c in plan.cells if c.fold).config.data.label == "{code}"
    plan = plan_of(tmp_path, two_loads, data__label="{number}")
    assert plan.protocols == ("within_recording",)
    [loads, _] = [note for note in plan.notes if "left out" in note]
    assert "across_loads is left out: load_hp 0 has 105, 118, which not every" in loads


def test_seeds_and_settings_from_the_command_line(tmp_path: Path, two_loads: Path) -> None:
    path = written(tmp_path, two_loads, {"seeds": 2, "protocols": {"within": {}}}, seed=10)
    assert read_plan(path).seeds == (10, 11)
    assert read_plan(path, seeds=3).seeds == (10, 11, 12)
    plan = read_plan(path, ["protocol.seeds=1", "protocol.models.B.train.epochs=9"])
    assert [(cell.model, cell.config.train.epochs) for cell in plan.cells] == [("B", 9)]


def refused(folder: Path, root: Path, protocol: Any, **changes: Any) -> list[str]:
    with pytest.raises(FaultdiagError) as caught:
        plan_of(folder, root, protocol, **changes)
    first, *problems = str(caught.value).splitlines()
    assert re.search(r"compare\.yaml has (\d+ problems|a problem):$", first)
    return [problem.strip() for problem in problems]


def test_all_problems_of_config_and_section_at_once(tmp_path: Path, two_loads: Path) -> None:
    found = refused(tmp_path, two_loads, {"seeds": 0}, train__epochs=0)
    assert found[0] == "train.epochs is 0; it must be 1 or more"
    assert found[1].startswith("protocol.seeds: found 0")


def test_all_problems_of_the_overrides_at_once(tmp_path: Path, two_loads: Path) -> None:
    protocol = {
        "models": {"A": {"train": {"epoch": 3}}, "B": {"window": {"length": 512}}},
        "protocols": {"within": {}, "loads": {"split": {"strategy": "across_load"}}},
        "noise_on": ["withn"],
    }
    found = refused(tmp_path, two_loads, protocol)
    assert len(found) == 4
    assert found[0].startswith("protocol.noise_on: unknown protocol 'withn' (did you mean 'within'")
    assert found[1].startswith("protocol.models.A: train.epoch: unknown key (did you mean 'epochs'")
    assert found[2].startswith("protocol.models.B: window has neither stride nor per_class")
    assert "protocol.protocols.loads: split.strategy: unknown split strategy" in found[3]


def test_two_overrides_that_only_clash_together(tmp_path: Path, two_loads: Path) -> None:
    protocol = {
        "models": {"A": {"window": {"stride": 64}}},
        "protocols": {"p": {"window": {"length": 512, "per_class": 9}}},
    }
    (found,) = refused(tmp_path, two_loads, protocol)
    assert found.startswith("protocol: A on p: window has both stride and per_class")


def test_rows_of_one_name(tmp_path: Path, two_loads: Path) -> None:
    protocol = {
        "models": {"A": {}, "A + eca": {"model": {"name": "wdcnn", "attention": None}}},
        "attention": [None, {"name": "eca", "after": [1]}],
    }
    (found,) = refused(tmp_path, two_loads, protocol)
    assert found == "protocol.models: two rows would be called 'A + eca'; rename one"


def test_folds_that_can_not_be_made(tmp_path: Path, two_loads: Path) -> None:
    protocol = {"protocols": {"loads": LOADS}}
    found = refused(tmp_path, two_loads, protocol, data__root=str(tmp_path / "nowhere"))
    assert len(found) == 1
    assert found[0].startswith("protocol.protocols.loads: ")
    assert "nowhere" in found[0]
