"""A training and an evaluation as text."""

from faultdiag.documents import Document
from faultdiag.metrics.tables import format_table, parts_table
from faultdiag.report.data import split_lines
from faultdiag.report.transfer import transfer_lines
from faultdiag.splits.within import ALL_PARTS
from faultdiag.training.calibrating import SEEN
from faultdiag.training.session import Run


def summary(run: Run) -> str:
    """Return the table of a finished training and where its files lie."""
    metrics = run.metrics
    split = metrics["split"]
    order = ("valid", "source_test", "target_adapt", "test")
    parts = {part: metrics[part] for part in order if metrics.get(part) is not None}
    test = metrics["test"]
    return "\n".join(
        [
            parts_table(parts, split["disjoint_windows"]),
            *split_lines(split),
            *(_scored(test) if test is not None else [UNSCORED]),
            *_fitted_on(metrics),
            *(transfer_lines(metrics["transfer"]) if "transfer" in metrics else []),
            _chosen(run),
            f"run folder: {run.folder}",
        ]
    )


UNSCORED = "the target has no labels, so its test part has no score"


def _scored(test: Document) -> list[str]:
    return [_by_recording(test), _calibration(test)]


def _by_recording(scores: Document) -> str:
    recording = scores["recording"]
    right = sum(row["predicted"] == row["label"] for row in recording["rows"])
    low, high = recording["accuracy_interval"]
    return (
        f"by recording: {right} of {scores['recordings']} right "
        f"(95 % interval {low:.0%} to {high:.0%})"
    )


def _calibration(scores: Document) -> str:
    ece, unscaled = scores["ece"], scores["ece_unscaled"]
    scaled = f", {unscaled:.1%} without it" if scores["temperature"] != 1 else ""
    return (
        f"expected calibration error of the confidences: {ece:.1%} at temperature "
        f"{scores['temperature']:.3g}{scaled}"
    )


def _fitted_on(metrics: Document) -> list[str]:
    """Return what the temperature and the novelty threshold were fitted on."""
    basis, novelty = metrics["calibration"]["fitted_on"], metrics["novelty"]
    limit = ", which may lower confidences only" if basis == SEEN else ""
    signature = metrics.get("signature")
    return [
        *([_signature_line(signature)] if signature else []),
        f"the temperature is fitted on {basis}{limit}",
        f"the novelty threshold is fitted on {novelty['fitted_on']}: about "
        f"{novelty['false_positive_rate']:.1%} of such windows exceed it",
    ]


def _refit(run: Run) -> str:
    again = run.metrics["selection"].get("refit")
    return "; the model was trained again with the validation windows" if again else ""


def _signature_line(signature: Document) -> str:
    share = signature["test_share"]
    tested = "" if share is None else f"; {share:.0%} of the test recordings have one"
    return (
        f"a bearing signature is an evidence of {signature['threshold']:.2f} or more, where at "
        f"most {signature['error']:.0%} of {signature['fitted_on']} are misnamed{tested}"
    )


def _chosen(run: Run) -> str:
    if run.epochs == 1:
        return "one pass over the training windows: there was no epoch to choose"
    if run.metrics["selection"]["chosen_by"] == "last epoch":
        return f"the last epoch, {run.epochs}, was kept: train.keep is last{_refit(run)}"
    by = "its validation accuracy"
    if "transfer" in run.metrics and run.metrics["transfer"]["method"] != "none":
        by = run.metrics["selection"]["chosen_by"]
    chosen = f"epoch {run.best_epoch} of {run.epochs} was chosen by {by}"
    if run.best_epoch == run.epochs or run.metrics["selection"].get("refit"):
        return f"{chosen}{_refit(run) or '; it is the last'}"
    best, last = (run.metrics[key] for key in ("test", "last"))
    if best is None:
        return chosen
    return (
        f"{chosen}: test accuracy {best['accuracy']:.1%}; "
        f"the last epoch's is {last['test']['accuracy']:.1%}"
    )


def _seen_lines(split: Document) -> list[str]:
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


def evaluation_text(result: Document) -> str:
    """Return an evaluation as text: its table, what the split shares, each class, the noise."""
    part = next(name for name in ALL_PARTS if name in result)
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
        noise |= {"noise_only_accuracy": "noise alone %"}
        if any(row["kind"] != "white" for row in rows):
            noise = {"kind": "noise", **noise}
        lines += ["", format_table(rows, noise)]
    return "\n".join(lines)
