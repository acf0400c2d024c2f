"""Rows of models as run folders and as ONNX files, on all recordings of a folder, side by side.

    python scripts/onnx_parity.py MODEL… --recordings DIR [--work DIR] [--train CONFIG…]

Each MODEL is a run folder, a checkpoint or the name of a model in the box; each CONFIG is trained
first, with --set as `faultdiag train` takes it. Every model is exported, `faultdiag predict` is run
with both, with evidence, and the rows are compared: text must be equal, and numbers differ by 1e-5
at most. The exit code is 1 where they do not. Export and prediction together take half a minute a
model on an idle core, training not included.
"""

import argparse
import csv
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

TOLERANCE = 1e-5


@dataclass
class Difference:
    """The largest difference of numbers, and where; texts that differ."""

    largest: float = 0.0
    place: str = ""
    texts: tuple[str, ...] = ()


def faultdiag(*words: object) -> int:
    """Run a command; its exit code is 1 where a recording has no diagnosis."""
    command = [sys.executable, "-m", "faultdiag", *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if done.returncode not in {0, 1} or (done.returncode and words[0] != "predict"):
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr.decode()}")
    return done.returncode


def rows_of(model: Path, recordings: Path, out: Path) -> list[dict[str, str]]:
    """Predict all recordings with evidence and return the rows."""
    faultdiag("predict", model, recordings, "--evidence", "--quiet", "--out", out)
    with out.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def difference(first: list[dict[str, str]], second: list[dict[str, str]]) -> Difference:
    """Compare rows cell by cell."""
    result = Difference()
    for a, b in zip(first, second, strict=True):
        for name in a:
            if a[name] == b[name]:
                continue
            place = f"{Path(a['path']).name} {name}: {a[name]} and {b[name]}"
            try:
                apart = abs(float(a[name]) - float(b[name]))
            except ValueError:
                result.texts = (*result.texts, place)
                continue
            if apart > result.largest:
                result.largest, result.place = apart, place
    return result


def trained(configs: list[Path], settings: list[str], folder: Path) -> list[Path]:
    """Train configs and return their run folders."""
    runs = [folder / f"run-{config.stem}" for config in configs]
    for config, run in zip(configs, runs, strict=True):
        words = [word for setting in settings for word in ("--set", setting)]
        faultdiag("train", config, "--run", run, "--device", "cpu", *words)
    return runs


def compare(models: list[Path], recordings: Path, folder: Path) -> bool:
    """Print a line for each model; return whether all are within the tolerance."""
    sound = True
    for number, model in enumerate(models):
        place = folder / f"{number}"
        place.mkdir(exist_ok=True)
        faultdiag("export", model, "--out", place / "model.onnx")
        first = rows_of(model, recordings, place / "checkpoint.csv")
        second = rows_of(place / "model.onnx", recordings, place / "onnx.csv")
        found = difference(first, second)
        good = sum(row["status"] == "ok" for row in first)
        print(
            f"{model}: {len(first)} rows, {good} of them diagnosed; largest difference "
            f"{found.largest:.1e} {found.place}",
            flush=True,
        )
        for text in found.texts:
            print(f"  differs: {text}")
        sound = sound and not found.texts and found.largest <= TOLERANCE
    return sound


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--train", nargs="*", type=Path, default=[], metavar="CONFIG")
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--work", type=Path, help="kept; else a temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = options.work or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        models = [*options.models, *trained(options.train, options.settings, folder)]
        sys.exit(0 if compare(models, options.recordings, folder) else 1)


if __name__ == "__main__":
    main()
