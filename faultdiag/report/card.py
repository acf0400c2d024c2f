"""The model card: what a model was trained on, how it did, and what it can't know."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from faultdiag.datasets import DATASETS
from faultdiag.documents import Json
from faultdiag.errors import FaultdiagError, counted, printable_lines
from faultdiag.export.metadata import RunRecord, bearings_of
from faultdiag.report.data import split_lines
from faultdiag.report.tables import format_table
from faultdiag.system.files import dump, write_text

CARD = "MODEL_CARD.md"
LIBRARY = "faultdiag"
# The scores of the table, and what they are called there.
_SCORES = {
    "accuracy": "accuracy of windows",
    "macro_f1": "macro-F1 of windows",
    "recording_accuracy": "accuracy of recordings",
    "false_alarm_rate": "false alarms: healthy windows called faulty",
    "missed_alarm_rate": "missed alarms: faulty windows called healthy",
    "ece": "calibration error of the confidences",
}


def write_card(path: Path, record: RunRecord, *, text: str | None = None) -> Path:
    """Write the card of a model, and return its path.

    Parameters
    ----------
    text
        The card, where the model brings its own.

    Raises
    ------
    FaultdiagError
        If another file of this name is there, or it can't be written.
    """
    if path.exists() and f"library_name: {LIBRARY}" not in _beginning(path):
        raise FaultdiagError(
            f"{path} exists and is no model card of {LIBRARY}; move it, or export to another folder"
        )
    write_text(path, printable_lines(model_card(record) if text is None else text))
    return path


def _beginning(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(2000)
    except OSError:
        return ""


def model_card(record: RunRecord) -> str:
    """Return the card of a model as Markdown, with the front matter that model hubs read."""
    sections = [
        f"---\n{dump(_front_matter(record))}---",
        f"# {_name(record)}",
        _summary(record),
        "## Trained on",
        _data(record),
        "## Results",
        _results(record),
        "## What it can't know",
        _limits(record),
        "## How to use it",
        _use(record),
    ]
    return "\n\n".join(sections) + "\n"


def _name(record: RunRecord) -> str:
    dataset = record.source.config["data"]["dataset"]
    return f"{record.source.model_spec.name} on {dataset}: bearing faults from vibration"


def _front_matter(record: RunRecord) -> Json:
    dataset = record.source.config["data"]["dataset"]
    measured = {
        name: (record.metrics.get("test") or {}).get(name)
        for name in ("accuracy", "macro_f1", "recording_accuracy")
    }
    result = {
        "task": {"type": "time-series-classification", "name": "bearing fault diagnosis"},
        "dataset": {"type": dataset, "name": dataset, "split": "test"},
        "metrics": [
            {"type": name, "value": round(value, 6), "name": _SCORES[name]}
            for name, value in measured.items()
            if value is not None
        ],
    }
    return {
        "library_name": LIBRARY,
        "license": "other",
        "license_name": "that-of-the-training-data",
        "tags": ["bearing-fault-diagnosis", "vibration", "predictive-maintenance", "pytorch"],
        "metrics": ["accuracy", "f1"],
        "model-index": [
            {
                "name": record.source.model_spec.name,
                "results": [result] if result["metrics"] else [],
            }
        ],
    }


def _summary(record: RunRecord) -> str:
    source = record.source
    seconds = source.length / source.sampling_rate
    healthy = ", ".join(source.healthy) or "none"
    return (
        f"A network that takes windows of {source.length} samples ({seconds:.3g} s at "
        f"{source.sampling_rate:g} Hz) of the channels {', '.join(source.channels)}, and returns "
        f"the probabilities of {counted(len(source.classes), 'class')}: "
        f"{', '.join(source.classes)} "
        f"(healthy: {healthy}). A recording's diagnosis is the mean over its windows."
    )


def _data(record: RunRecord) -> str:
    config = record.source.config
    entry: Any = DATASETS.get(config["data"]["dataset"])
    recordings = record.split.get("recordings", [])
    labels = Counter(row["label"] for row in recordings)
    counts = ", ".join(f"{label} {count}" for label, count in sorted(labels.items()))
    lines = [
        f"- data: {config['data']['dataset']}; {getattr(entry, 'citation', 'not stated')}",
        f"- licence of the data: {getattr(entry, 'licence', 'not stated')}",
        f"- recordings: {len(recordings)} ({counts})" if recordings else "- recordings: unknown",
        f"- bearings: {', '.join(bearings_of(record.split)) or 'not stated'}",
        f"- normalisation: {record.source.normalize['name']}; epoch {record.source.epoch}",
    ]
    return "\n".join(lines)


def _results(record: RunRecord) -> str:
    test = record.metrics.get("test")
    if test is None:
        return "Unknown: there was no `metrics.json` beside the checkpoint."
    intervals = {
        "accuracy": test.get("accuracy_interval"),
        "macro_f1": test.get("macro_f1_interval"),
        "recording_accuracy": test.get("recording", {}).get("accuracy_interval"),
    }
    rows = [
        {"score": words, "value": test.get(name), "interval": _interval(intervals.get(name))}
        for name, words in _SCORES.items()
    ]
    columns = {"score": "test part", "value": "%", "interval": "95 % interval"}
    counts = f"{counted(test['windows'], 'window')} of {counted(test['recordings'], 'recording')}."
    return "\n\n".join([format_table(rows, columns, markdown=True), counts])


def _interval(limits: Sequence[float] | None) -> str:
    return "-" if limits is None else f"{limits[0]:.1%} to {limits[1]:.1%}"


def _limits(record: RunRecord) -> str:
    split = record.metrics.get("split", {})
    known = split_lines(split) if split else ["how its parts were split is unknown"]
    classes = ", ".join(record.source.classes)
    return "\n".join(
        [
            *(f"- {line}" for line in known),
            f"- it names one of {classes} for any recording, also for a fault of another kind, "
            "another bearing, or a machine with no bearing fault but something else",
            f"- {_novelty(record)}",
            "- a confidence is the share of windows like these that are right, as far as the "
            "validation part shows; on another machine it says less",
        ]
    )


def _novelty(record: RunRecord) -> str:
    fitted = record.source.novelty
    if fitted is None:
        return "it does not measure how unlike its training data a recording is"
    return (
        "it measures how unlike its training data a recording is (novelty, the distance of "
        f"spectra); above 1, at a false-positive rate of {fitted.false_positive_rate:.1%}, "
        "the diagnosis should not be relied on alone"
    )


def _use(record: RunRecord) -> str:
    del record
    return (
        "```sh\n"
        "pip install 'faultdiag[onnx]'\n"
        "faultdiag predict model.onnx RECORDINGS --out diagnoses.csv\n"
        "```\n\n"
        "From Python: `faultdiag.load('model.onnx').diagnose('recording.mat')`. The run folder it "
        "was exported from takes the same commands."
    )
