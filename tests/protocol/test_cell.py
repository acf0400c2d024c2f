"""One cell: the figures of a training and of noise, or the reason why there are none."""

import warnings
from pathlib import Path
from typing import Any

import pytest

from faultdiag.errors import FaultdiagError
from faultdiag.protocol import cell
from faultdiag.protocol.cell import Failure, leak_of, run_cell
from tests.data_fixtures import tiny_config
from tests.protocol.cells import config, row


@pytest.mark.usefixtures("no_figures")
def test_a_cell_has_the_figures_of_its_training(
    recordings: Path, prepared_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tiny_config(recordings, prepared_root, train__batch_size=32)
    found = run_cell(
        made, ("-10.0", "30.0", "hum -10.0", "hum 30.0"), device="cpu", folder=tmp_path
    )
    assert found["accuracy"] > 0.7
    assert found["noise"]["30.0"]["accuracy"] == pytest.approx(found["accuracy"], abs=0.1)
    assert found["noise"]["-10.0"]["accuracy"] < found["accuracy"]
    assert (found["classes"], found["recordings"], found["shared_samples"]) == (3, 3, 0)
    assert set(found["noise"]) == {"-10.0", "30.0", "hum -10.0", "hum 30.0"}
    assert found["noise"]["hum -10.0"] != found["noise"]["-10.0"]
    assert found["windows"] == found["noise"]["30.0"]["windows"]
    assert found["leak"] == "recording"
    assert found["device"] == "cpu"
    assert found["config"] == made.model_dump(mode="json")
    assert list(tmp_path.iterdir()) == [], "the run folder is thrown away"
    assert capsys.readouterr().err == "", "its own progress is not shown"


def test_a_cell_that_fails_says_why(tmp_path: Path) -> None:
    made = tiny_config(tmp_path / "nowhere", tmp_path / "prepared")
    found = run_cell(made, (), device="cpu", folder=tmp_path)
    assert found.keys() == {"reason", "memory"}
    assert "nowhere" in found["reason"]
    assert found["memory"] is False


def test_a_warning_is_kept_with_the_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def figures(*_: object) -> dict[str, Any]:
        warnings.simplefilter("default")
        warnings.warn("the fit has not converged", RuntimeWarning, stacklevel=1)
        return row()

    monkeypatch.setattr(cell, "_figures", figures)
    found = run_cell(config(), (), device="cpu", folder=tmp_path)
    assert found["accuracy"] == 0.5
    assert found["warnings"] == ["the fit has not converged"]


@pytest.mark.parametrize(
    ("error", "reason", "memory"),
    [
        (FaultdiagError("data/x is missing; restore it"), "data/x is missing; restore it", False),
        (MemoryError(), "MemoryError; use fewer --jobs, a smaller train.batch_size", True),
        (
            RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8.\nat"),
            "RuntimeError: DefaultCPUAllocator: not enough memory: you tried to allocate 8.; use",
            True,
        ),
        (
            RuntimeError("CUDA out of memory. Tried"),
            "RuntimeError: CUDA out of memory. Tried; use",
            True,
        ),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero (test_cell.py, line ", False),
    ],
)
def test_any_error_is_a_reason(error: Exception, reason: str, memory: bool) -> None:
    with Failure() as failure:
        raise error
    assert failure.reason is not None
    assert failure.reason.startswith(reason)
    assert failure.memory is memory
    assert ("that is a bug" in failure.reason) == isinstance(error, ZeroDivisionError)


def test_an_interrupt_passes() -> None:
    failure = Failure()
    with pytest.raises(KeyboardInterrupt), failure:
        raise KeyboardInterrupt
    assert failure.reason is None


@pytest.mark.parametrize(
    ("split", "leak"),
    [
        ({"leak": "bearing", "strategy": "across_loads"}, "bearing"),
        ({"strategy": "across_loads"}, "-"),
        ({"strategy": "random_windows"}, "recording"),
        ({"strategy": "random_windows", "leaking_test_windows": 0.2}, "samples"),
        ({"strategy": "across_loads", "shared_samples": 9}, "samples"),
    ],
)
def test_what_a_split_leaks(split: dict[str, object], leak: str) -> None:
    assert leak_of({"shared_samples": 0, "leaking_test_windows": 0.0} | split) == leak
