"""Rows of models as run folders and as ONNX files, on all recordings of a folder, side by side.

    python scripts/onnx_parity.py bearing-types --train all --recordings DIR [--out RESULT.json]

Each MODEL is a run folder, a checkpoint or the name of a model in the box. --train names models of
`SHORT_RUNS`, or all of them, which are first trained for a short time on the CWRU recordings in
DIR/cwru. Every model is exported, `faultdiag predict` is run with both, with evidence, and the rows
are compared: text must be equal, and numbers differ by 1e-5 at most. The exit code is 1 where they
do not. Trained models are also exported with --int8: the accuracy of the test part before and
after, or why not. --out keeps the rows of other models that the file has. All of it takes about ten
minutes on one core.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

CONFIGS = Path(__file__).parents[1] / "configs"
TOLERANCE = 1e-5
# The name of a short run: its config, and what is set in it.
SHORT_RUNS = {
    "wdcnn": ("cwru_10class_0hp", "model={name: wdcnn}", "train.epochs=2"),
    "wdcnn + eca": ("cwru_10class_0hp", "train.epochs=2"),
    "transformer1d": ("cwru_10class_0hp", "model={name: transformer1d}", "train.epochs=2"),
    "random_forest": ("cwru_10class_0hp", "model={name: random_forest}"),
    "band_net": ("cwru_loads", "train.steps=60"),
    "tied_z": ("cwru_rigs", "train.epochs=3"),
    "tied_teeth": ("cwru_ends", "train.steps=60"),
}


@dataclass
class Difference:
    """The largest difference of numbers, and where; texts that differ."""

    largest: float = 0.0
    place: str = ""
    texts: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether the rows are equal, as far as they must be."""
        return not self.texts and self.largest <= TOLERANCE


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


def short_run(name: str, recordings: Path, folder: Path) -> Path:
    """Train a model for a short time on the CWRU recordings and return its run folder."""
    config, *settings = SHORT_RUNS[name]
    settings += [f"data.root={recordings / 'cwru'}", f"data.prepared={folder / 'prepared'}"]
    words = [word for setting in settings for word in ("--set", setting)]
    run = folder / name.replace(" + ", "-")
    faultdiag("train", CONFIGS / f"{config}.yaml", "--run", run, "--device", "cpu", *words)
    return run


def compare(model: Path, recordings: Path, place: Path) -> tuple[int, int, Difference]:
    """Return how many rows there are, how many are diagnoses, and how much they differ."""
    place.mkdir()
    faultdiag("export", model, "--out", place / "model.onnx")
    first = rows_of(model, recordings, place / "checkpoint.csv")
    second = rows_of(place / "model.onnx", recordings, place / "onnx.csv")
    diagnosed = sum(row["status"] != "error" for row in first)
    return len(first), diagnosed, difference(first, second)


def int8_accuracy(model: Path, out: Path) -> str:
    """Return the accuracy on the test part before and after quantisation, or why there is none."""
    command = [sys.executable, "-m", "faultdiag", "export", str(model), "--int8", "--json"]
    done = subprocess.run(
        [*command, "--out", str(out)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        return done.stderr.strip().splitlines()[-1].rpartition(";")[0].removeprefix("error: ")
    check = json.loads(done.stdout)["int8"]
    return f"{check['before']['test']:.2%} → {check['after']['test']:.2%}"


def store(path: Path, rows: list[list[str]]) -> None:
    """Add the rows to the table of the docs, in place of those of the same models."""
    command = "python scripts/onnx_parity.py bearing-types --train all --recordings DIR"
    columns = ["model", "recordings", "diagnosed", "other texts", "largest difference", "int8"]
    before = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    table = {row[0]: row for row in [*before, *rows]}
    document = {"command": command, "columns": columns, "rows": list(table.values())}
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--train", nargs="*", default=[], choices=[*SHORT_RUNS, "all"])
    parser.add_argument("--out", type=Path, help="store the differences as JSON")
    options = parser.parse_args()
    names = SHORT_RUNS if "all" in options.train else options.train
    rows: list[list[str]] = []
    sound = True
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        for name in [*map(str, options.models), *names]:
            trained = name in SHORT_RUNS
            model = short_run(name, options.recordings, folder) if trained else Path(name)
            place = folder / f"rows-{len(rows)}"
            count, diagnosed, apart = compare(model, options.recordings, place)
            rows.append([name, *map(str, (count, diagnosed, len(apart.texts)))])
            int8 = int8_accuracy(model, place / "int8.onnx") if trained else ""
            rows[-1] += [f"{apart.largest:.1e}", int8]
            print(*rows[-1], apart.place, *apart.texts, sep="; ", flush=True)
            sound = sound and apart.allowed
            if options.out:
                store(options.out, rows)
    sys.exit(0 if sound else 1)


if __name__ == "__main__":
    main()
