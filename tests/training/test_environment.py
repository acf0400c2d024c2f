"""What a result was made with."""

import subprocess
from pathlib import Path

import pytest
import torch

from faultdiag.training import run_folder as subject
from faultdiag.training.run_folder import environment


def test_what_stands_in_environment_json() -> None:
    document = environment(torch.device("cpu"))
    assert document["processor"] == document["device_name"] != ""
    assert document["extras"]["onnx"]
    assert set(document["extras"]) <= set(subject.EXTRAS)


def test_the_commit_is_that_of_the_source_tree() -> None:
    root = Path(__file__).parents[2]
    words = ["git", "-C", str(root), "rev-parse", "HEAD"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    expected = done.stdout.strip() if done.returncode == 0 else None
    found = subject.commit()
    assert (found is None) == (expected is None)
    assert (found or "").removesuffix("+").endswith(expected or "")


def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert subject.commit() is None
