"""What a result was made with."""

import subprocess
import tomllib
from pathlib import Path

import pytest
import torch

from faultdiag.training import run_folder as subject
from faultdiag.training.run_folder import environment

ROOT = Path(__file__).parents[2]


def test_what_stands_in_environment_json() -> None:
    document = environment(torch.device("cpu"))
    assert document["processor"] == document["device_name"] != ""
    assert document["extras"]["onnx"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert set(document["extras"]) <= set(subject.EXTRAS) == set(extras) - {"test"}
    for extra, package in subject.EXTRAS.items():
        assert any(named.partition(">")[0] == package for named in extras[extra])


def test_the_commit_is_that_of_the_source_tree() -> None:
    words = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    expected = done.stdout.strip() if done.returncode == 0 else None
    found = subject.commit()
    assert (found is None) == (expected is None)
    assert (found or "").removesuffix("+").endswith(expected or "")


def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert subject.commit() is None
