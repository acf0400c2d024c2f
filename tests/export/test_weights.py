"""Weights as safetensors."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from faultdiag.api.export import save_weights
from faultdiag.errors import FaultdiagError


def test_weights_and_facts_come_back(tmp_path: Path) -> None:
    kernel = torch.randn(4, 3, 2).transpose(1, 2)
    weights = {"conv.weight": kernel, "norm.num_batches_tracked": torch.tensor(3)}
    path = tmp_path / "model.safetensors"
    save_weights(path, weights, {"faultdiag.classes": '["N", "IR"]'})
    with safe_open(path, "pt") as file:
        found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        facts = file.metadata()
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[name], weights[name]) for name in weights)
    assert facts == {"faultdiag.classes": '["N", "IR"]', "format": "pt"}


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FaultdiagError, match="No such file or directory"):
        save_weights(tmp_path / "none" / "m.safetensors", {"a": torch.zeros(1)}, {})


def test_without_safetensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "safetensors.torch", None)
    with pytest.raises(FaultdiagError, match=r"pip install 'faultdiag\[hub\]'"):
        save_weights(tmp_path / "m.safetensors", {"a": torch.zeros(1)}, {})
