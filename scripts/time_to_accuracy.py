"""Time to an honest accuracy: faultdiag beside a plain PyTorch and a Keras script.

    python scripts/time_to_accuracy.py data/cwru [--rounds 5] [--keras [FOLDER]] [--json FILE]

All sides train the network of ``configs/cwru_10class_0hp.yaml`` on its windows, in batches of 128,
until the validation accuracy is at least 98 %. Measured are the seconds from the prompt to the end
of that epoch, and those of the epochs alone, validation included. The windows are prepared ahead:
faultdiag finds its prepared folder, the scripts find arrays. Every side is a process of its own,
the sides take turns, and each round has another seed. The plain script runs with the momentum of
BatchNorm that the network was published with, 0.01, and with torch's own, 0.1. Last comes a whole
``faultdiag train`` of ten epochs, divided into before, during and after its epochs.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from benchmarks.keras_environment import default_folder, keras_python
from benchmarks.side import SCRIPTS, shell

from faultdiag.config.schema import load_config
from faultdiag.preparing.folder import gather
from faultdiag.preparing.prepare import prepare
from faultdiag.system.files import write_json

CONFIG = SCRIPTS.parent / "configs" / "cwru_10class_0hp.yaml"
LEVEL, EPOCHS = 0.98, 10
FAULTDIAG = (sys.executable, "-m", "faultdiag")


def write_windows(folder: Path, settings: Sequence[str]) -> None:
    """Prepare the data, and write the windows of training and validation as arrays."""
    prepared = prepare(load_config(CONFIG, settings))
    for part, name in (("train", ""), ("valid", "valid_")):
        windows = prepared.windows.of(part)
        x = gather(prepared.signals, prepared.positions(windows), prepared.length)
        np.save(folder / f"{name}windows.npy", x)
        np.save(folder / f"{name}labels.npy", windows.label.astype(np.int64))


def ours(folder: Path, settings: Sequence[str], seed: int) -> dict[str, float]:
    """Train with faultdiag until an epoch reaches the level, and end it there."""
    run = folder / f"until{seed}"
    began = time.perf_counter()
    child = _train(run, [*settings, f"seed={seed}"])
    try:
        for rows in _histories(run, child):
            if rows[-1]["valid_accuracy"] >= LEVEL:
                whole = time.perf_counter() - began
                fit = sum(row["seconds"] for row in rows)
                return {"epochs": len(rows), "fit": fit, "whole": whole}
    finally:
        child.kill()
        child.communicate()
    raise SystemExit(f"faultdiag train stayed below {LEVEL:.0%}")


def _train(run: Path, settings: Sequence[str]) -> "subprocess.Popen[bytes]":
    options = [word for setting in settings for word in ("--set", setting)]
    command = [*FAULTDIAG, "train", str(CONFIG), "--run", str(run), "--quiet", *options]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=shell()
    )


def _histories(run: Path, child: "subprocess.Popen[bytes]") -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of the epochs so far, whenever there is one more, until the process ends."""
    known = 0
    ended = False
    while not ended:
        ended = child.poll() is not None
        path = run / "history.jsonl"
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        rows = [json.loads(line) for line in text.splitlines()]
        if len(rows) > known:
            known = len(rows)
            yield rows
        time.sleep(0.005)


def peer(python: str | Path, module: str, *arguments: object) -> dict[str, float]:
    """Run a script of another side until it reaches the level."""
    began = time.perf_counter()
    done = subprocess.run(
        [str(python), "-m", module, *map(str, arguments)],
        cwd=SCRIPTS,
        env=shell(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    whole = time.perf_counter() - began
    return {**json.loads(done.stdout.splitlines()[-1]), "whole": whole}


def whole_train(folder: Path, settings: Sequence[str]) -> dict[str, float]:
    """Divide the seconds of a whole `faultdiag train` by what they were spent on."""
    run = folder / "whole"
    began = time.perf_counter()
    child = _train(run, [*settings, f"train.epochs={EPOCHS}"])
    rows: list[dict[str, Any]] = []
    last = began
    for rows in _histories(run, child):
        last = time.perf_counter()
        if len(rows) == EPOCHS:
            break
    child.communicate()
    end = time.perf_counter()
    fit = sum(row["seconds"] for row in rows)
    return {"before": last - began - fit, "epochs": fit, "after": end - last}


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run all sides in turn, round by round."""
    settings = [f"data.root={arguments.root.resolve()}", f"data.prepared={folder / 'prepared'}"]
    write_windows(folder, settings)
    keras = keras_python(arguments.keras) if arguments.keras else None
    found: dict[str, list[dict[str, float]]] = {}
    for seed in range(arguments.rounds):
        plain = ("benchmarks.plain_until", folder, LEVEL, seed)
        row = {
            "faultdiag": ours(folder, settings, seed),
            "plain PyTorch, momentum 0.01": peer(sys.executable, *plain, 0.01),
            "plain PyTorch, momentum 0.1": peer(sys.executable, *plain, 0.1),
        }
        if keras:
            row["Keras"] = peer(keras, "benchmarks.keras_until", folder, LEVEL, seed)
        for name, times in row.items():
            found.setdefault(name, []).append(times)
            print(f"seed {seed}, {name}: {_words(times)}", flush=True)
    sides = {name: _medians(rows) for name, rows in found.items()}
    return {"medians": sides, "rounds": found, "train": whole_train(folder, settings)}


def _medians(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {key: statistics.median(row[key] for row in rows) for key in rows[0]}


def _words(times: Mapping[str, float]) -> str:
    whole, fit, epochs = times["whole"], times["fit"], times["epochs"]
    return f"{whole:.1f} s from the prompt, {fit:.1f} s in {epochs:g} epochs"


def table(result: Mapping[str, Any], rounds: int, parts: str) -> dict[str, Any]:
    """Return the medians as a stored result of the documentation."""
    rows = [
        [name, f"{times['whole']:.1f}", f"{times['fit']:.1f}", f"{times['epochs']:g}"]
        for name, times in result["medians"].items()
    ]
    command = f"python scripts/time_to_accuracy.py data/cwru --rounds {rounds} --keras"
    return {
        "command": f"{command}; faultdiag train, {EPOCHS} epochs: {parts}",
        "columns": ["side", "s from the prompt", "s of the epochs", "epochs"],
        "rows": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="folder of the CWRU recordings")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keras", type=Path, nargs="?", const=default_folder(), metavar="FOLDER")
    parser.add_argument("--json", type=Path, help="write the table of the medians to this file")
    arguments = parser.parse_args()
    with TemporaryDirectory() as name:
        result = measure(arguments, Path(name))
    print("medians:")
    for side, times in result["medians"].items():
        print(f"  {side}: {_words(times)}")
    parts = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in result["train"].items())
    print(f"faultdiag train, {EPOCHS} epochs: {parts}")
    if arguments.json:
        write_json(arguments.json, table(result, arguments.rounds, parts))


if __name__ == "__main__":
    main()
