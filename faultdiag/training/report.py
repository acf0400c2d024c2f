"""What is said of a run: the table after training, and `faultdiag eval`."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from faultdiag import checkpoint, inference
from faultdiag.config import Config, parse_config
from faultdiag.errors import FaultdiagError, unknown
from faultdiag.evaluation import (
    describe_split,
    evaluate_part,
    read_split,
    require_fit,
    same_recordings,
    seen_share,
)
from faultdiag.figures.scores import noise_figure
from faultdiag.metrics import format_table, parts_table
from faultdiag.prepared import Prepared
from faultdiag.preparing import prepare
from faultdiag.preparing.text import split_lines
from faultdiag.splits import PARTS
from faultdiag.training.session import Run
from faultdiag.training.unfinished import unfinished_note


def summary(run: Run) -> str:
    """Give the table of a finished training and where its files lie."""
    metrics = run.metrics
    split = metrics["split"]
    parts = {part: metrics[part] for part in ("valid", "test")}
    test = metrics["test"]
    return "\n".join(
        [
            parts_table(parts, split["disjoint_windows"]),
            *split_lines(split),
            _by_recording(test),
            _calibration(test),
            *_uncalibrated(test),
            _chosen(run),
            f"run folder: {run.folder}",
        ]
    )


def _by_recording(scores: Mapping[str, Any]) -> str:
    recording = scores["recording"]
    right = sum(row["predicted"] == row["label"] for row in recording["rows"])
    low, high = recording["accuracy_interval"]
    return (
        f"by recording: {right} of {scores['recordings']} right "
        f"(95 % interval {low:.0%} to {high:.0%})"
    )


def _calibration(scores: Mapping[str, Any]) -> str:
    ece, unscaled = scores["ece"], scores["ece_unscaled"]
    scaled = f", {unscaled:.1%} without it" if scores["temperature"] != 1 else ""
    return (
        f"expected calibration error of the confidences: {ece:.1%} at temperature "
        f"{scores['temperature']:.3g}{scaled}"
    )


def _uncalibrated(scores: Mapping[str, Any]) -> list[str]:
    if scores["temperature"] != 1:
        return []
    return [
        "the validation part gives no ground to lower confidences, and is not used to raise any"
    ]


def _chosen(run: Run) -> str:
    if run.epochs == 1:
        return "one pass over the training windows: there was no epoch to choose"
    chosen = f"epoch {run.best_epoch} of {run.epochs} was chosen by its validation accuracy"
    if run.best_epoch == run.epochs:
        return f"{chosen}; it is the last"
    best, last = (run.metrics[key] for key in ("test", "last"))
    return (
        f"{chosen}: test accuracy {best['accuracy']:.1%}; "
        f"the last epoch's is {last['test']['accuracy']:.1%}"
    )


def evaluate_run(
    run: Path,
    part: str,
    *,
    config: Config | None = None,
    split: Path | None = None,
    snr: Sequence[float] = (),
    device: str = "auto",
    plot: Path | None = None,
) -> dict[str, Any]:
    """Evaluate a trained run on one part of its own split, or of the data of another config.

    Parameters
    ----------
    run
        Run folder or checkpoint.
    split
        Another run folder or ``split.json``, whose split of the run's own data is taken.
    snr
        Signal-to-noise ratios in dB; each adds an entry to ``noise``.
    plot
        PNG file to draw the accuracy over these ratios in.

    Returns
    -------
    As ``metrics.json``: the part's metrics under its name, and ``split``.

    Raises
    ------
    FaultdiagError
        If the part doesn't exist, a ratio is out of range, both `config` and `split` are
        given, the data has changed since training or doesn't fit the model, or there is nothing
        to draw.
    """
    if part not in PARTS:
        raise unknown("part", part, PARTS)
    for level in snr:
        inference.require_snr(level)
    _require_plot(plot, snr)
    target = inference.select_device(device)
    source = checkpoint.load(run)
    if run.is_dir() and (note := unfinished_note(run, source)):
        sys.stderr.write(f"warning: {note}\n")
    if split is not None:
        config = _split_anew(run, source, split, config)
    prepared = _data(run, source, config)
    require_fit(source, prepared)
    network = source.build(target)
    options: dict[str, Any] = {
        "healthy": source.healthy,
        "device": target,
        "precision": source.precision,
        "normalize": source.normalize,
        "classes": source.classes,
        "temperature": source.temperature,
    }
    result: dict[str, Any] = {part: evaluate_part(network, prepared, part, **options)}
    described = describe_split(prepared)
    result["split"] = described if config is None else _of_others(described, run, prepared, part)
    if snr:
        result["noise"] = [
            {"snr": level, **evaluate_part(network, prepared, part, snr=level, **options)}
            for level in snr
        ]
    if plot is not None:
        noise_figure(result["noise"], plot, clean=result[part]["accuracy"])
        sys.stderr.write(f"drew {plot}\n")
    return result


def _of_others(
    split: Mapping[str, Any], run: Path, prepared: Prepared, part: str
) -> dict[str, Any]:
    """Say what a model has seen of other data, whose own training part says nothing of it."""
    own = {"pairs", "leak", "leak_by_class", "duplicates"}
    kept = {key: value for key, value in split.items() if key not in own}
    return {**kept, "seen_windows": _seen(run, prepared, part)}


def _require_plot(plot: Path | None, snr: Sequence[float]) -> None:
    if plot is None:
        return
    if plot.suffix.lower() != ".png":
        raise FaultdiagError(f"--plot is {plot}; a PNG is drawn, so give a name that ends in .png")
    if len(set(snr)) < 2:
        given = f"--snr is {snr[0]:g} alone" if snr else "no --snr was given"
        raise FaultdiagError(
            f"--plot draws accuracy over noise and {given}; give two or more: --snr -4 --snr 0"
        )


def _seen(run: Path, prepared: Prepared, part: str) -> float | None:
    """Share of the windows that the model knows; None where nothing says what it was trained on."""
    folder = run if run.is_dir() else run.parent
    if not (folder / "split.json").is_file():
        return None
    return seen_share(read_split(folder), prepared, part)


def _data(run: Path, source: checkpoint.Checkpoint, config: Config | None) -> Prepared:
    if config is not None:
        return prepare(config)
    prepared = prepare(parse_config(source.config, f"the config in {run}"))
    folder = run if run.is_dir() else run.parent
    if (folder / "split.json").is_file():
        same_recordings(read_split(folder), prepared)
    return prepared


def _split_anew(
    run: Path, source: checkpoint.Checkpoint, split: Path, config: Config | None
) -> Config:
    """Give the config of a run with the split of a file in place of its own."""
    if config is not None:
        raise FaultdiagError(
            "--split takes another split of the run's own data and --config other data; give one "
            "of the two, or write split: {strategy: file, path: …} in that config"
        )
    section = {"strategy": "file", "path": str(split)}
    return parse_config({**source.config, "split": section}, f"the config in {run}")


def _seen_lines(split: Mapping[str, Any]) -> list[str]:
    if "seen_windows" not in split:
        return []
    share = split["seen_windows"]
    if share is None:
        return ["what the model was trained on is not known: no split.json beside the checkpoint"]
    if share:
        return [f"LEAK: {share:.1%} of these windows overlap what the model was trained on"]
    return [
        "none of these windows overlaps what the model was trained on, as far as files of the same "
        "bytes tell"
    ]


def evaluation_text(result: Mapping[str, Any]) -> str:
    """Give an evaluation as text: its table, what the split shares, each class, the noise."""
    part = next(name for name in PARTS if name in result)
    scores, split = result[part], result["split"]
    classes = [{"class": name, **row} for name, row in scores["per_class"].items()]
    columns = {
        "class": "class",
        "windows": "windows",
        "precision": "precision %",
        "recall": "recall %",
        "f1": "F1 %",
    }
    lines = [
        parts_table({part: scores}, split["disjoint_windows"]),
        *split_lines(split),
        *_seen_lines(split),
        _by_recording(scores),
        _calibration(scores),
        "",
        format_table(classes, columns),
    ]
    if "noise" in result:
        rows = [{**row, "snr": f"{row['snr']:g}"} for row in result["noise"]]
        noise = {"snr": "SNR dB", "accuracy": "accuracy %", "macro_f1": "macro-F1 %"}
        lines += ["", format_table(rows, noise)]
    return "\n".join(lines)
