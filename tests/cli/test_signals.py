"""The command as a process of its own: signals, and an output that goes nowhere."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from faultdiag.checkpoint import load
from tests.commands import done


def start(*words: object, **options: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "faultdiag", *(str(word) for word in words)]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen(command, text=True, **options)


def signal_once_there(waiting: "dict[Path, tuple[subprocess.Popen[str], int]]") -> None:
    """Send each process its signal as soon as its file is there."""
    until = time.monotonic() + 120
    while waiting:
        assert time.monotonic() < until, f"{list(waiting)} don't appear"
        for path in [path for path in waiting if path.exists()]:
            process, number = waiting.pop(path)
            process.send_signal(number)
        for process, _ in waiting.values():
            assert process.poll() is None, process.communicate()[1]
        time.sleep(0.005)


def test_signals_end_a_training_that_can_be_resumed_to_the_same_end(
    config_file: Path, tmp_path: Path, no_figures: None
) -> None:
    done("prepare", "--config", config_file)
    words = ("train", "--config", config_file, "--device", "cpu")
    runs = {signal.SIGINT: tmp_path / "int", signal.SIGTERM: tmp_path / "term"}
    processes = {
        number: start(*words, "--run", folder, "--set", "train.epochs=100000")
        for number, folder in runs.items()
    }
    signal_once_there(
        {runs[number] / "history.jsonl": (p, number) for number, p in processes.items()}
    )
    epochs = []
    for number, process in processes.items():
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out) == (130, "")
        assert "Traceback" not in err
        assert err.splitlines()[-1].startswith("interrupted; continue with: faultdiag train ")
        assert err.splitlines()[-1].endswith(" --resume --device cpu")
        assert not [path for path in runs[number].iterdir() if path.name.startswith(".")]
        epochs.append(load(runs[number] / "last.pt").epoch)
    last = f"train.epochs={max(epochs) + 1}"
    whole = tmp_path / "whole"
    done(*words, "--run", whole, "--set", last)
    for folder in runs.values():
        done(*words, "--run", folder, "--set", last, "--resume")
        for name in ("best.pt", "last.pt"):
            for key, value in load(whole / name).model.items():
                assert torch.equal(load(folder / name).model[key], value), f"{name}: {key}"
        metrics = [json.loads((f / "metrics.json").read_text()) for f in (folder, whole)]
        assert metrics[0] == metrics[1]


def test_an_output_that_nobody_reads_or_that_is_full() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as pipe, Path("/dev/full").open("w") as full:  # noqa: PTH123
        processes = [start("init", stdout=pipe), start("init", stdout=full)]
    results = [(p.communicate(timeout=120)[1], p.returncode) for p in processes]
    assert results == [
        ("", 0),
        ("error: cannot write to standard output: No space left on device\n", 1),
    ]
