"""Too little memory is one message with the settings that help."""

from pathlib import Path

import pytest

from faultdiag.errors import FaultdiagError
from faultdiag.system.crashes import memory_errors
from faultdiag.training.loop import Trainer
from tests.commands import refused, run

CUDA = "CUDA out of memory. Tried to allocate 2.00 GiB"
HINT = "use a smaller train.batch_size (it is 32), a shorter window.length (256) or a smaller net"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 5 bytes"),
        RuntimeError(CUDA),
    ],
)
def test_what_means_too_little_memory(error: Exception) -> None:
    message = r"^not enough memory to train.*; use less$"
    with pytest.raises(FaultdiagError, match=message), memory_errors("train", "use less"):
        raise error


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError, match="shapes"), memory_errors("train", "use less"):
        raise RuntimeError("shapes cannot be multiplied")
    with pytest.raises(FaultdiagError, match="a full disk"), memory_errors("train", "use less"):
        raise FaultdiagError("a full disk")


def test_check_names_the_setting_of_a_network_beyond_memory(config_file: Path) -> None:
    wide = "model={name: cnn1d, widths: [1000000000, 1000000000], kernels: [7, 7]}"
    found = run("check", config_file, "--set", wide)
    refused(found, "not enough memory to pass windows of 256 samples through the network 'cnn1d'")
    refused(found, "use a shorter window.length or a smaller network")
    found = run("check", config_file, "--set", "window.length=1000000000")
    refused(found, "window.length is 1000000000; it must be 4194304 or less")


def test_train_names_the_settings(
    config_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def learn(*_: object) -> None:
        raise RuntimeError(f"{CUDA}\nsecond line")

    monkeypatch.setattr(Trainer, "learn", learn)
    found = run("train", config_file, "--run", tmp_path / "run")
    assert found.exit_code == 1
    assert f"error: not enough memory to train ({CUDA}); {HINT}" in found.stderr
    assert not (tmp_path / "run").exists()
