"""The folds of a config as configs of their own."""

import re
from pathlib import Path
from typing import Any

import pytest

from faultdiag.config.schema import parse_config
from faultdiag.errors import FaultdiagError
from faultdiag.preparing.folder import Prepared
from faultdiag.preparing.folds import Fold, expand, has_folds
from faultdiag.preparing.prepare import prepare
from tests.data_fixtures import grouped, tiny, tiny_config, write_grouped


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_grouped(tmp_path_factory.mktemp("grouped"))


def split_of(fold: Fold) -> dict[str, Any]:
    return fold.config.model_dump()["split"]


def parts(prepared: Prepared) -> Any:
    return prepared.document["split"]["parts"]


def test_a_config_without_folds_is_one_fold_without_a_name(root: Path, tmp_path: Path) -> None:
    for config in (tiny_config(root, tmp_path), grouped(root, tmp_path, "across_loads", test=[0])):
        assert expand(config) == [Fold("", config)]
        assert not has_folds(config)


def test_a_fold_is_a_config_that_names_its_groups(root: Path, tmp_path: Path) -> None:
    config = grouped(root, tmp_path, "across_loads", folds="pairs", gap=300)
    assert has_folds(config)
    folds = expand(config)
    assert [fold.name for fold in folds] == ["0→1", "1→0"]
    common = {"strategy": "across_loads", "gap": 300}
    assert [split_of(fold) for fold in folds] == [
        {**common, "train": [0], "test": [1]},
        {**common, "train": [1], "test": [0]},
    ]
    for fold in folds:
        assert fold.config.model_dump(exclude={"split"}) == config.model_dump(exclude={"split"})
        assert parse_config(fold.config.model_dump(mode="json")) == fold.config
        assert expand(fold.config) == [Fold("", fold.config)]


@pytest.mark.parametrize(
    ("strategy", "options"),
    [
        ("across", {"fact": "size", "folds": "pairs"}),
        ("across_loads", {"folds": "each"}),
        ("across_sizes", {"folds": "each"}),
        ("across_bearings", {"folds": 2}),
        ("across_recordings", {"folds": 3}),
    ],
)
def test_a_chosen_fold_is_the_expanded_one(
    strategy: str, options: dict[str, Any], root: Path, tmp_path: Path
) -> None:
    folds = expand(grouped(root, tmp_path, strategy, **options))
    assert len(folds) >= 2
    for number, fold in enumerate(folds):
        config = grouped(root, tmp_path, strategy, fold=number, **options)
        assert not has_folds(config)
        assert [split_of(one) for one in expand(config)] == [split_of(fold)]
        alone, named = prepare(config), prepare(fold.config)
        assert parts(alone) == parts(named)
        assert alone.notes == named.notes
        assert named.audit.shared_samples == 0


def test_folds_are_drawn_by_the_seed_and_prepared_by_it(root: Path, tmp_path: Path) -> None:
    options = {"folds": 3, "fold": 0}
    seeds = range(6)
    base = grouped(root, tmp_path, "across_recordings", **options)
    configs = [base.model_copy(update={"seed": seed}) for seed in seeds]
    tested = [str(split_of(expand(config)[0])["test"]) for config in configs]
    assert len(set(tested)) > 1
    for config, test in zip(configs, tested, strict=True):
        names = {int(r) for r, *_ in parts(prepare(config))["test"]}
        recordings = prepare(config).recordings
        whole = [recordings[n].name for n in names if recordings[n].label != "N"]
        assert str(sorted(whole)) == test


def test_the_signals_are_not_read(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from faultdiag.preparing import prepare as preparing

    monkeypatch.delattr(preparing, "load_entry")
    monkeypatch.delattr(preparing, "sha256")
    assert len(expand(grouped(root, tmp_path, "across_sizes", folds="each"))) == 2


def test_several_splits_are_not_prepared_as_one(root: Path, tmp_path: Path) -> None:
    with pytest.raises(FaultdiagError, match=r"^split\.folds is each, which is several splits"):
        prepare(grouped(root, tmp_path, "across_sizes", folds="each"))


def test_a_class_that_is_left_out_whole_is_no_class(root: Path, tmp_path: Path) -> None:
    prepared = prepare(grouped(root, tmp_path, "across_recordings", test=[105], train=[106, 118]))
    assert prepared.classes == ("B", "IR")
    assert prepared.notes[-1] == "2 classes are left, because all of N is left out"
    windows = prepared.windows
    assert {prepared.recordings[i].name for i in windows.of("test").by_recording()} == {"105"}
    names = {windows.label[i] for i in range(len(windows))}
    assert names == {0, 1}


@pytest.mark.parametrize(
    ("split", "problem"),
    [
        (
            {"strategy": "across_loads", "folds": 1},
            "split.folds: split strategy 'across_loads': folds is 1; folds are 2 or more: each is "
            "tested on once and trained on otherwise",
        ),
        (
            {"strategy": "across_loads", "folds": "all"},
            "split.folds: split strategy 'across_loads': folds is 'all'; write each (test on one "
            "group after the other), pairs (train on one group, test on another) or how many folds",
        ),
        (
            {"strategy": "across_loads", "folds": True},
            "split.folds: split strategy 'across_loads': folds is True; write each (test on one "
            "group after the other), pairs (train on one group, test on another) or how many folds",
        ),
        (
            {"strategy": "across_sizes", "folds": 2, "test": ["007"], "valid": ["014"]},
            "split.folds: folds: 2 names the groups by itself; leave valid, test out, or folds",
        ),
        (
            {"strategy": "across_sizes", "test": ["007"], "fold": 0},
            "split.fold: it chooses one of split.folds, and there are none; add folds: each",
        ),
        (
            {"strategy": "across_sizes", "folds": "each", "fold": -1},
            "split.fold: split strategy 'across_sizes': fold is -1; Input should be greater than "
            "or equal to 0",
        ),
        (
            {"strategy": "across_bearings"},
            "split.test: name the groups to test on, as in test: [1, 2], or let folds do it: "
            "each, pairs or a number",
        ),
    ],
)
def test_options_that_exclude_each_other_are_told_with_the_config(
    split: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    settings = {**tiny(tmp_path, tmp_path), "split": split}
    with pytest.raises(FaultdiagError, match=f"^config has a problem:\n  {re.escape(problem)}$"):
        parse_config(settings)
