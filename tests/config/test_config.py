"""The config: every problem named at once, by dotted path, with what would work."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from faultdiag.config.schema import (
    Config,
    DataConfig,
    ModelConfig,
    SplitConfig,
    TrainConfig,
    WindowConfig,
    load_config,
    parse_config,
)
from faultdiag.errors import FaultdiagError
from faultdiag.signal.normalize import NORMALIZERS
from faultdiag.signal.windows import WindowPlan
from faultdiag.splits.within import STRATEGIES
from faultdiag.system import files

law = settings(max_examples=60, deadline=None)
WINDOW = {"length": 2048, "stride": 128}
TRAIN_KEYS = (
    "epochs, steps, batch_size, optimizer, learning_rate, momentum, l2, schedule, warmup_epochs, "
    "early_stopping, keep, refit, clip_gradient, label_smoothing, trim, balance, augment, "
    "running_statistics, precision, deterministic, graphs, threads, tensorboard, mlflow"
)
SECTION_KEYS = "seed, data, window, split, normalize, model, train, transfer, protocol"


def problems(data: Mapping[str, Any]) -> list[str]:
    """Return the lines on the problems of a config."""
    with pytest.raises(FaultdiagError) as caught:
        parse_config(data, "my.yaml")
    head, *lines = str(caught.value).split("\n  ")
    count = "a problem" if len(lines) == 1 else f"{len(lines)} problems"
    assert head == f"my.yaml has {count}:"
    return lines


def nested(path: str, value: Any) -> dict[str, Any]:
    """Return a config that is sound but for one value at a dotted path."""
    data: dict[str, Any] = {"window": dict(WINDOW)}
    *parents, last = path.split(".")
    node = data
    for key in parents:
        node = node.setdefault(key, {})
    node[last] = value
    return data


def write(folder: Path, text: str) -> Path:
    path = folder / "my.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_window_is_all_that_must_be_given() -> None:
    config = parse_config({"window": WINDOW})
    assert (config.seed, config.normalize, config.split.strategy) == (
        0,
        "window_zscore",
        "within_recording",
    )
    assert (config.data.dataset, config.data.channels, config.data.healthy) == (
        "cwru",
        ("DE",),
        ("N",),
    )
    assert (config.model.name, config.model.attention, config.model.options) == ("wdcnn", None, {})
    assert (config.train.epochs, config.train.learning_rate, config.train.l2) == (20, 1e-3, 1e-4)


def test_the_plan_of_windows() -> None:
    strided = parse_config({"window": WINDOW}).window.plan()
    assert strided == WindowPlan(2048, 128, None, 2048)
    counted = parse_config({"window": {"length": 64, "per_class": 9, "test_stride": 5}})
    assert counted.window.plan() == WindowPlan(64, None, 9, 5)


def test_further_keys_of_split_and_model_are_options() -> None:
    data = {
        "window": WINDOW,
        "split": {"strategy": "legacy_wdcnn", "step": 14},
        "model": {"name": "resnet1d", "width": 8, "attention": [{"name": "se"}]},
    }
    config = parse_config(data)
    assert config.split.options == {"step": 14}
    assert config.model.options == {"width": 8}
    assert config.model.attention == [{"name": "se"}]


def test_a_condition_on_one_value_is_a_list_of_one() -> None:
    config = parse_config(nested("data.select", {"load_hp": 0, "size": [None, "007"]}))
    assert config.data.select == {"load_hp": [0], "size": [None, "007"]}


def test_paths_may_start_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse_config(nested("data.root", "~/cwru")).data.root == tmp_path / "cwru"
    assert parse_config(nested("data.root", "data/~cwru")).data.root == Path("data/~cwru")


def test_a_config_is_frozen() -> None:
    config = parse_config({"window": WINDOW})
    with pytest.raises(ValidationError, match="frozen"):
        config.train.epochs = 3  # type: ignore[misc]


UNKNOWN_SPLIT = (
    "split.strategy: unknown split strategy 'random' (did you mean 'random_windows'?); "
    f"known: {', '.join(sorted(STRATEGIES))}"
)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("seed", -1, "seed is -1; it must be 0 or more"),
        ("seed", 2**32, "seed is 4294967296; it must be below 4294967296"),
        ("seed", "0", "seed is '0'; write a whole number"),
        ("seed", True, "seed is True; write a whole number"),
        ("sead", 1, f"sead: unknown key (did you mean 'seed'?); known: {SECTION_KEYS}"),
        ("data", None, "data is None; write a mapping, such as {key: value}"),
        ("train", [1], "train is [1]; write a mapping, such as {key: value}"),
        ("split", "random", "split is 'random'; write a mapping, such as {key: value}"),
        ("model", "wdcnn", "model is 'wdcnn'; write a mapping, such as {key: value}"),
        ("window", 2048, "window is 2048; write a mapping, such as {key: value}"),
        (
            "data.dataset",
            7,
            "data.dataset is 7; write text, in quotes if YAML takes it for something else",
        ),
        (
            "data.root",
            None,
            "data.root is None; write a path, in quotes if YAML takes it for something else",
        ),
        (
            "data.prepared",
            "~nobody_at_all/x",
            "data.prepared: found ~nobody_at_all/x; there is no such home folder, write the path "
            "out",
        ),
        ("data.channels", "DE", "data.channels is 'DE'; write a list, such as [DE]"),
        ("data.channels", [], "data.channels is []; write at least 1"),
        (
            "data.channels",
            ["DE", 1],
            "data.channels.1 is 1; write text, in quotes if YAML takes it for something else",
        ),
        (
            "data.channels",
            ["DE", "DE"],
            "data.channels: found DE, DE; name each only once",
        ),
        ("data.healthy", "N", "data.healthy is 'N'; write a list, such as [DE]"),
        ("data.sampling_rate", 0, "data.sampling_rate is 0; it must be above 0"),
        ("data.sampling_rate", "12k", "data.sampling_rate is '12k'; write a number"),
        ("data.sampling_rate", float("inf"), "data.sampling_rate is inf; write a finite number"),
        ("data.select", [1], "data.select is [1]; write a mapping, such as {key: value}"),
        ("window.length", 7, "window.length is 7; it must be 8 or more"),
        ("window.stride", 0, "window.stride is 0; it must be 1 or more"),
        ("window.test_stride", 2.5, "window.test_stride is 2.5; write a whole number"),
        (
            "window.per_class",
            1000,
            "window has both stride and per_class; give exactly one of them (the other null or "
            "left out)",
        ),
        (
            "window.stride",
            None,
            "window has neither stride nor per_class; give exactly one of them (the other null or "
            "left out)",
        ),
        ("split.strategy", "random", UNKNOWN_SPLIT),
        (
            "split.strategy",
            3,
            "split.strategy is 3; write text, in quotes if YAML takes it for something else",
        ),
        (
            "split.gapp",
            3,
            "split.gapp: split strategy 'within_recording' has no option 'gapp' (did you mean "
            "'gap'?); it has: fractions, gap",
        ),
        (
            "split.gap",
            -3,
            "split.gap: split strategy 'within_recording': gap is -3; Input should be greater "
            "than or equal to 0",
        ),
        (
            "split.fractions",
            [0.7, 0.2],
            "split.fractions: split strategy 'within_recording': fractions is [0.7, 0.2]; found "
            "2 numbers; write 3, for train, valid and test, such as [0.7, 0.2, 0.1]",
        ),
        (
            "normalize",
            "zscore",
            "normalize: unknown normaliser 'zscore' (did you mean 'window_zscore'?); known: "
            "channel_zscore, column_zscore, none, recording_robust, window_range, window_zscore",
        ),
        (
            "normalize",
            None,
            "normalize is None; write text, in quotes if YAML takes it for something else",
        ),
        (
            "model.name",
            3,
            "model.name is 3; write text, in quotes if YAML takes it for something else",
        ),
        (
            "model.attention",
            "eca",
            "model.attention: found 'eca'; write a slot as {name: eca, after: [2]}, several as a "
            "list",
        ),
        (
            "model.attention",
            [{"name": "eca"}, "se"],
            "model.attention: found [{'name': 'eca'}, 'se']; write a slot as {name: eca, after: "
            "[2]}, several as a list",
        ),
        (
            "train.bach_size",
            5,
            f"train.bach_size: unknown key (did you mean 'batch_size'?); known: {TRAIN_KEYS}",
        ),
        ("train.epochs", 0, "train.epochs is 0; it must be 1 or more"),
        ("train.epochs", 2.5, "train.epochs is 2.5; write a whole number"),
        ("train.learning_rate", 0.0, "train.learning_rate is 0.0; it must be above 0"),
        ("train.learning_rate", True, "train.learning_rate is True; write a number"),
        ("train.l2", -1.0, "train.l2 is -1.0; it must be 0 or more"),
        ("train.optimizer", "adm", "train.optimizer is 'adm'; use 'adam', 'adamw' or 'sgd'"),
        ("train.precision", 16, "train.precision is 16; use 'float32', 'tf32' or 'bfloat16'"),
        ("train.threads", 0, "train.threads is 0; it must be 1 or more"),
    ],
)
def test_a_problem(path: str, value: Any, expected: str) -> None:
    assert problems(nested(path, value)) == [expected]


def test_a_config_without_windows() -> None:
    assert problems({}) == ["window is missing; write at least window: {length: 2048, stride: 128}"]


def test_options_that_a_strategy_cannot_do_without() -> None:
    split = {"strategy": "across", "fct": "load_hp"}
    found = problems({"window": WINDOW, "split": split})
    assert [line.partition("; it has")[0] for line in found] == [
        "split.fct: split strategy 'across' has no option 'fct' (did you mean 'fact'?)",
        "split.fact: split strategy 'across' needs the option 'fact'",
        "split.test: name the groups to test on, as in test: [1, 2], or let folds do it: each, "
        "pairs or a number",
    ]


def test_all_problems_are_told_at_once() -> None:
    data = {
        "sed": 0,
        "data": {"chanels": ["DE"], "sampling_rate": -1},
        "window": {"length": "long"},
        "split": {"gap": "wide", "fraction": 3},
        "normalize": "none_of_these",
        "train": {"epochs": 0, "optimiser": "adam"},
    }
    paths = [re.split(r":| is | has ", line)[0] for line in problems(data)]
    assert " ".join(sorted(paths)) == (
        "data.chanels data.sampling_rate normalize sed split.fraction split.gap train.epochs "
        "train.optimiser window window.length"
    )


@pytest.mark.parametrize(
    ("text", "found"), [("", "nothing"), ("[1]", "a list"), ("hello", "the one value 'hello'")]
)
def test_a_file_that_is_no_config(tmp_path: Path, text: str, found: str) -> None:
    path = write(tmp_path, text)
    expected = f"{path} holds {found}, no config; `faultdiag init` writes a starter"
    with pytest.raises(FaultdiagError, match=f"^{re.escape(expected)}$"):
        load_config(path)


def test_problems_of_a_file_name_it_and_stand_on_lines_of_their_own(tmp_path: Path) -> None:
    path = write(tmp_path, "window: {length: 3}")
    expected = f"{path} has 2 problems:\n  window has neither"
    with pytest.raises(FaultdiagError, match=f"^{re.escape(expected)}.*\n  window.length is 3; "):
        load_config(path)


def test_overrides_are_applied_in_their_order(tmp_path: Path) -> None:
    path = write(tmp_path, "window: {length: 64, stride: 8}")
    config = load_config(path, ["seed=1", "train.epochs=3", "seed=2", "data.select.size=007"])
    assert (config.seed, config.train.epochs, config.window.length) == (2, 3, 64)
    assert config.data.select == {"size": ["007"]}


def test_overrides_are_checked_like_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "window: {length: 64, stride: 8}")
    expected = f"{path} has a problem:\n  train.epoch: unknown key (did you mean 'epochs'?); known:"
    with pytest.raises(FaultdiagError, match=f"^{re.escape(expected)}"):
        load_config(path, ["train.epoch=5"])


positive = st.floats(1e-9, 1e9)
words = st.text(min_size=1, max_size=8)
configs = st.fixed_dictionaries(
    {"window": st.fixed_dictionaries({"length": st.integers(8, 10**6), "stride": st.just(3)})},
    optional={
        "seed": st.integers(0, 2**32 - 1),
        "normalize": st.sampled_from(list(NORMALIZERS)),
        "data": st.fixed_dictionaries(
            {},
            optional={
                "label": words,
                "channels": st.lists(words, min_size=1, max_size=3, unique=True),
                "healthy": st.lists(words, max_size=2, unique=True),
                "sampling_rate": positive,
                "select": st.dictionaries(
                    words, st.lists(st.none() | words | st.integers() | st.booleans())
                ),
            },
        ),
        "model": st.fixed_dictionaries(
            {},
            optional={
                "attention": st.none() | st.dictionaries(words, words | st.integers()),
                "dropout": positive,
                "widths": st.lists(st.integers()),
            },
        ),
        "train": st.fixed_dictionaries(
            {}, optional={"learning_rate": positive, "l2": positive, "epochs": st.integers(1, 99)}
        ),
    },
)


@law
@given(configs)
def test_a_resolved_config_loads_as_an_equal_config(data: dict[str, Any]) -> None:
    config = parse_config(data)
    text = config.to_yaml()
    again = parse_config(files.parse(text, "config.yaml"))
    assert again == config
    assert again.to_yaml() == text


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
SECTIONS: dict[str, type[BaseModel]] = {
    "data": DataConfig,
    "window": WindowConfig,
    "split": SplitConfig,
    "model": ModelConfig,
    "train": TrainConfig,
}
PLACES = [
    *(name for name in Config.model_fields),
    *(
        f"{name}.{key}"
        for name, section in SECTIONS.items()
        for key in [*section.model_fields, "x"]
    ),
    *("split.gap", "split.fractions", "data.select.size", "data.channels.x"),
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PLACES), anything)
def test_any_value_anywhere_is_taken_or_named_by_its_path(place: str, value: Any) -> None:
    try:
        parse_config(nested(place, value))
    except FaultdiagError as error:
        shown = str(error)
    else:
        shown = f"config has no problem:\n  {place}"
    section = place.partition(".")[0]
    assert all(line.startswith(section) for line in shown.split("\n  ")[1:])


def test_a_label_that_yaml_takes_for_a_mapping() -> None:
    found = problems({"window": WINDOW, "data": {"label": {"code": None}}})
    assert found == [
        "data.label is {'code': None}; write text in quotes, as data.label: \"{code}\" or --set "
        "'data.label=\"{code}\"'"
    ]


def test_override_rate_where_the_dataset_states_the_rates(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "data: {dataset: cwru, override_rate: true}\nwindow: {length: 64, stride: 64}\n"
    )
    with pytest.raises(FaultdiagError, match="and dataset cwru takes none: its files and its cat"):
        load_config(path)


def test_a_negative_number_of_epochs_is_the_only_problem() -> None:
    with pytest.raises(FaultdiagError) as error:
        parse_config({"train": {"epochs": -1}, "window": {"stride": 64}})
    assert str(error.value).splitlines()[1:] == ["  train.epochs is -1; it must be 1 or more"]
