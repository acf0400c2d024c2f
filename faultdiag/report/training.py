"""A training, its folds, an adaptation and an evaluation as text."""

from collections.abc import Sequence

from faultdiag.documents import Document
from faultdiag.errors import counted
from faultdiag.preparing.folds import Fold
from faultdiag.report.data import common_notes, duplicate_lines, split_lines
from faultdiag.report.tables import format_table, parts_table
from faultdiag.splits.sharing import LEVELS
from faultdiag.splits.within import ALL_PARTS
from faultdiag.training.adapting import AdaptedRun
from faultdiag.training.finishing import SEEN
from faultdiag.training.folds import RESULTS, FoldRuns, spread
from faultdiag.training.guard import refusal
from faultdiag.training.session import Run

SHARES = {"class": "class", "before": "before %", "after": "after %"}


def transfer_lines(transfer: Document) -> list[str]:
    """Return the text of the section ``transfer`` of ``metrics.json``, line by line.

    The shares are those of the target's windows that each class gets; no label is in them.
    """
    if transfer["method"] == "none":
        agreement = transfer["agreement_before"]
        return [f"transfer none: trained on the source alone; target agreement {agreement:.1%}"]
    before, after = transfer["shares_before"], transfer["shares_after"]
    rows = [{"class": name, "before": before[name], "after": after[name]} for name in before]
    moved = transfer["moved"]
    lines = [
        f"transfer {transfer['method']}: share of the target's windows that each class gets",
        format_table(rows, SHARES),
        f"agreement within target recordings {transfer['agreement_before']:.1%} before, "
        f"{transfer['agreement_after']:.1%} after; mean class confusion "
        f"{transfer['confusion_before']:.3f} before, {transfer['confusion_after']:.3f} after",
        f"{moved['moved']} of {moved['recordings']} target recordings changed their class, "
        f"{moved['unsupported']} of them decided before",
    ]
    if transfer["warning"]:
        lines.append(f"WARNING: {transfer['warning']}")
    if transfer["refused"]:
        lines.append(f"REFUSED: {refusal(transfer)}")
    return lines


def adapted_text(adapted: AdaptedRun) -> str:
    """Return the text on an adaptation's result, with the place of its run."""
    transfer = adapted.metrics["transfer"]
    target = transfer["target"]
    count = len(target["recordings"])
    lines = [
        f"adapted with {adapted.why}",
        f"target: {counted(count, 'recording')}, {counted(target['windows'], 'window')}; "
        "no label of them was read",
        *transfer_lines(transfer),
    ]
    source = adapted.metrics.get("source_test")
    if source is not None:
        lines.append(f"accuracy on the source's own test part after it: {source['accuracy']:.1%}")
    if not adapted.refused:
        lines.append(f"run folder: {adapted.folder}")
    return "\n".join(lines)


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
    """Return the text on the data of temperature and novelty threshold."""
    basis, novelty = metrics["calibration"]["fitted_on"], metrics["novelty"]
    limit = ", which may lower confidences only" if basis == SEEN else ""
    signature = metrics.get("signature")
    unit = "windows" if novelty["fitted_on"] == SEEN else "recordings"
    return [
        *([_signature_line(signature)] if signature else []),
        f"the temperature is fitted on {basis}{limit}",
        f"the novelty threshold is fitted on {novelty['fitted_on']}: about "
        f"{novelty['false_positive_rate']:.1%} of such {unit} exceed it",
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


COLUMNS = {
    "fold": "fold",
    "windows": "test windows",
    "accuracy": "accuracy %",
    "macro_f1": "macro-F1 %",
    "right": "recordings right",
    "leak": "leak",
}


def training_text(result: Run | FoldRuns) -> str:
    """Return the table of a finished training, or of all its folds."""
    return folds_text(result) if isinstance(result, FoldRuns) else summary(result)


def folds_text(result: FoldRuns) -> str:
    """Return the table of all folds, what they share, and where their files are."""
    rows, folds = result.rows(), result.folds
    for row in rows:
        row["right"] = f"{row['recordings_right']} of {row['recordings']}"
    right, recordings = (sum(r[key] for r in rows) for key in ("recordings_right", "recordings"))
    splits = [run.metrics["split"] for run in result.runs]
    worst = min(splits, key=lambda split: LEVELS.index(split["leak"]))
    notes = common_notes([split["notes"] for split in splits])
    return "\n".join(
        [
            format_table(rows, COLUMNS),
            f"mean ± sd over {len(rows)} folds: accuracy {_shown(rows, 'accuracy')} %, macro-F1 "
            f"{_shown(rows, 'macro_f1')} %; {right} of {counted(recordings, 'recording')} right",
            *_leaks(folds, splits),
            *split_lines({**worst, "duplicates": _shared_by_all(splits), "notes": notes}),
            f"run folders and {RESULTS}: {result.folder}",
        ]
    )


def _leaks(folds: Sequence[Fold], splits: Sequence[Document]) -> list[str]:
    """Name the folds that leak, and the copies that carry samples into their test parts."""
    lines = []
    for fold, split in zip(folds, splits, strict=True):
        copies = [row for row in split["duplicates"] if row["leak"]]
        lines += [f"fold '{fold.name}': {line}" for line in duplicate_lines(copies)]
    return lines


def _shared_by_all(splits: Sequence[Document]) -> list[object]:
    """Return the copies that leak in no fold; those that do are named with their folds."""
    leaking = {str(row["recordings"]) for s in splits for row in s["duplicates"] if row["leak"]}
    return [row for row in splits[0]["duplicates"] if str(row["recordings"]) not in leaking]


def _shown(rows: Sequence[Document], score: str) -> str:
    values = spread(rows, score)
    return f"{100 * (values['mean'] or 0):.1f} ± {100 * (values['sd'] or 0):.1f}"
