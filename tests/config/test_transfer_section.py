"""The section ``transfer`` of a config."""

from typing import Any

import pytest

from faultdiag.config.schema import (
    Config,
    TargetData,
    TargetFact,
    parse_config,
    target_of,
    try_config,
)


def document(**transfer: Any) -> dict[str, Any]:
    return {
        "data": {"root": "source", "channels": ["DE"], "select": {"load_hp": [3]}},
        "window": {"length": 256, "stride": 64},
        "train": {"epochs": 4},
        "transfer": transfer,
    }


def config(**transfer: Any) -> Config:
    return parse_config(document(**transfer))


def test_without_the_section_there_is_none() -> None:
    plain = {key: value for key, value in document().items() if key != "transfer"}
    assert parse_config(plain).transfer is None
    assert target_of(parse_config(plain)) is None


def test_defaults() -> None:
    section = config().transfer
    assert section is not None
    assert (section.method, section.weight, section.selection, section.guard) == (
        "mk_mmd_mcc",
        1.0,
        "last",
        "agreement",
    )
    assert target_of(config()) is None


def test_a_config_survives_yaml() -> None:
    from faultdiag.system import files

    one = config(method="shot", beta=0.5, target={"fact": "load_hp", "values": [0]})
    assert parse_config(files.parse(one.to_yaml(), "config")) == one
    assert one.transfer is not None
    assert one.transfer.options == {"beta": 0.5}


def test_a_target_by_fact() -> None:
    found = target_of(config(target={"fact": "load_hp", "values": 0, "select": {"code": ["IR"]}}))
    assert found == TargetFact("load_hp", (0,), {"code": ["IR"]})


def test_a_target_of_the_same_dataset_inherits_what_it_does_not_say() -> None:
    found = target_of(config(target={"channels": ["FE"], "select": {"load_hp": [0]}}))
    assert isinstance(found, TargetData)
    assert found.labelled
    assert str(found.data.root) == "source"
    assert found.data.channels == ("FE",)
    assert found.data.select == {"load_hp": [0]}
    assert found.data.label == "{code}{size}"


def test_a_target_of_another_dataset_inherits_what_one_network_needs() -> None:
    found = target_of(
        config(target={"dataset": "folder", "root": "plant", "label": None, "recorded_at": 1e4})
    )
    assert isinstance(found, TargetData)
    assert not found.labelled
    assert str(found.data.root) == "plant"
    assert found.data.select == {}
    assert found.data.channels == ("DE",)


@pytest.mark.parametrize(
    ("transfer", "problem"),
    [
        (
            {"start_epoch": 4},
            "transfer.start_epoch is 4 and train.epochs 4, which leaves no epoch to adapt in; use "
            "3 or less, or more epochs",
        ),
        (
            {"start_epoch": 2, "steps": 9},
            "transfer has start_epoch 2 and steps 9; with steps the adaptation begins after the "
            "last epoch of train, so leave one of them out",
        ),
        ({"steps": 0}, "transfer.steps is 0; it must be 1 or more"),
        ({"weight": 0.0}, "transfer.weight is 0.0; it must be above 0"),
        ({"adapt": 1.0}, "transfer.adapt is 1.0; it must be 0.99 or less"),
        (
            {"selection": "valid"},
            "transfer.selection is 'valid'; use 'last', 'agreement', 'mcc', 'infomax' or 'reverse",
        ),
        ({"guard": "off"}, "transfer.guard is 'off'; use 'agreement' or 'none'"),
        (
            {"hold_out": "half"},
            "transfer.hold_out is 'half'; use 'time', 'recordings' or 'windows'",
        ),
        (
            {"target": {"fact": "load_hp", "value": [0]}},
            "transfer.target.value: unknown key beside fact (did you mean 'values'?); known: fact, "
            "values, select",
        ),
        (
            {"target": {"fact": "load_hp", "values": []}},
            "transfer.target is {'fact': 'load_hp', 'values': []}; write it as {fact: load_hp, "
            "values: [0]}",
        ),
        (
            {"target": {"dataset": "cwruu"}},
            "transfer.target.dataset: unknown dataset 'cwruu' (did you mean 'cwru'?)",
        ),
        (
            {"target": {"sampling_rate": 25600.0}},
            "transfer.target.sampling_rate is 25600.0 and data.sampling_rate 12000.0, but one "
            "network sees both; leave it out: the target's recordings are resampled",
        ),
        (
            {"target": {"channels": ["DE", "FE"]}},
            "transfer.target.channels has 2 (DE, FE) and data.channels 1 (DE), but one network",
        ),
        (
            {"target": {"rot": "plant"}},
            "transfer.target.rot: unknown key (did you mean 'root'?); known:",
        ),
    ],
)
def test_a_problem(transfer: dict[str, Any], problem: str) -> None:
    made, problems = try_config(document(**transfer))
    assert made is None
    assert any(found.startswith(problem) for found in problems), problems


def test_steps_of_both_phases() -> None:
    both = parse_config(document(steps=300, batch_size=32) | {"train": {"steps": 400}})
    assert both.transfer is not None
    assert (both.train.steps, both.transfer.steps, both.transfer.batch_size) == (400, 300, 32)
