"""The starter configs: listed, written and sound."""

import re
from pathlib import Path

import pytest

from faultdiag.config import load
from faultdiag.config.schema import load_config, parse_config
from faultdiag.errors import FaultdiagError
from faultdiag.system.files import parse

NAMES = list(load.starter_texts())


def test_the_starters_are_there() -> None:
    assert {"cwru_10class_0hp", "cwru_legacy", "demo"} <= set(NAMES)
    assert sorted(NAMES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_starter_is_a_config_without_problems(name: str, tmp_path: Path) -> None:
    path = load.write_starter(name, tmp_path / "my.yaml")
    assert path == tmp_path / "my.yaml"
    assert path.read_text(encoding="utf-8") == load.starter_texts()[name]
    config = load_config(path)
    assert parse_config(parse(config.to_yaml(), name)) == config


def test_the_listing_says_what_each_is_for() -> None:
    lines = load.starter_lines().splitlines()
    width = max(map(len, NAMES))
    assert [line.split()[0] for line in lines] == NAMES
    for line in lines:
        assert re.match(r"[A-Z].*\S", line[width + 2 :])
        assert line[: width + 2].strip() in NAMES


def test_an_unknown_starter(tmp_path: Path) -> None:
    expected = f"unknown starter 'dmo' (did you mean 'demo'?); known: {', '.join(NAMES)}"
    with pytest.raises(FaultdiagError, match=f"^{re.escape(expected)}$"):
        load.write_starter("dmo", tmp_path / "my.yaml")
    assert not list(tmp_path.iterdir())


def test_a_file_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("mine")
    expected = f"{path} exists; give another file with --out"
    with pytest.raises(FaultdiagError, match=f"^{re.escape(expected)}$"):
        load.write_starter("demo", path)
    assert path.read_text() == "mine"


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "none" / "my.yaml"
    with pytest.raises(FaultdiagError, match=f"^{re.escape(f'cannot write {path}: No such file')}"):
        load.write_starter("demo", path)
