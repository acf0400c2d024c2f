"""The table of a protocol."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from faultdiag.config.schema import TrainConfig
from faultdiag.documents import Document, Json
from faultdiag.errors import counted
from faultdiag.protocol.plan import Cell, Plan, kind_and_snr
from faultdiag.protocol.results import Result, compare, table_rows, worst_leak
from faultdiag.report.tables import best_interval, format_table, share_cell
from faultdiag.system.terminal import to_cell

_STRATEGIES = {
    "within_recording": (
        "train and test are different stretches of the same recordings: same bearing, same load, "
        "same day"
    ),
    "across_recordings": "whole recordings are held out; their bearings may have been trained on",
    "across_loads": (
        "the same bearings as in training, at motor loads that were not: what is new is the load"
    ),
    "across_sizes": (
        "fault sizes that were not trained on, so other physical bearings: what is new is the fault"
    ),
    "across_bearings": "physical bearings that were not trained on",
    "random_windows": (
        "windows of the same recordings dealt at random, overlapping ones to both sides"
    ),
    "legacy_wdcnn": (
        "the split of the WDCNN scripts: validation and test windows come from the same stretch"
    ),
}

_LEAKS = {
    "samples": "test windows hold samples that were trained on or chosen by: the figure is void",
    "recording": "train and test share recordings",
    "bearing": "train and test share physical bearings, not recordings",
    "unknown": "train and test share no recording; nothing says whether they share bearings",
    "none": "train and test share no recording and no bearing",
    "-": "what they share was not determined",
}

_FOLDS = {
    "pairs": "each value trained on alone and tested on each other one",
    "each": "each value held out in turn, all others trained on",
}


def meaning(split: Document) -> str:
    """Return a sentence on the novelty of a split's test part, and on its folds.

    Examples
    --------
    >>> meaning({"strategy": "across", "fact": "end"})
    'values of end that were not trained on'
    """
    strategy = split["strategy"]
    if split["strategy"] == "file":
        return f"the split in {split.get('path')}"
    fact = split.get("fact") or split.get("across") or "a fact"
    text = _STRATEGIES.get(strategy, f"values of {fact} that were not trained on")
    folds = split.get("folds")
    return text if folds is None else f"{text}; {_FOLDS.get(folds, f'{folds} folds')}"


def leak_meaning(leak: str | None) -> str:
    """Return the meaning of a leak level, as a part of a sentence."""
    return _LEAKS.get(leak or "-", str(leak))


_COLUMNS = {
    "protocol": "protocol",
    "model": "model",
    "accuracy": "accuracy %",
    "interval": "95 % interval",
    "over": "over",
    "macro_f1": "macro-F1 %",
    "recordings_right": "recordings right %",
    "false_alarms": "false alarms %",
    "cells": "cells",
    "test_windows": "test windows",
    "window": "window s",
    "leak": "leak",
}
_CAPTION = (
    "Accuracy is that of test windows: mean ± standard deviation over seeds, of the mean over the "
    "folds of each seed. The 95 % interval is a t interval of the mean, cut at 0 and 100: over "
    "folds where a protocol has two or more, because folds differ more than seeds do, and over "
    "seeds otherwise; `table.csv` has both. Over seeds it says nothing of other recordings, and "
    "where all agree it is a point, which is no certainty. "
    "Recordings right: each recording by the class that its windows give together. Test windows: "
    "mean of a cell. A cell is one training: a model, a fold, a seed; its epoch is chosen on "
    "validation windows."
)
_MOST_NOTES = 4


def markdown(document: Document) -> str:
    """Return the whole comparison as Markdown that is understood without anything else."""
    parts = [
        f"# {document['title']}",
        "\n".join(_facts(document)),
        format_table([_line(row) for row in _clean(document)], _columns(document), markdown=True),
        _CAPTION,
        *_transfer(document),
        *_noise(document),
        *_comparisons(document),
        "## Protocols",
        "\n".join(_legend(document)),
        *_listed("Failed cells", [f"{f['cell']}: {f['reason']}" for f in document["failures"]]),
        *_listed("Notes", [*document["notes"], *document["warnings"]]),
    ]
    return "\n\n".join(parts) + "\n"


def _columns(document: Document) -> dict[str, str]:
    """Return the columns of the table; that of false alarms only where there are any rates."""
    rated = any(row.get("false_alarm_rate") is not None for row in _clean(document))
    return {key: name for key, name in _COLUMNS.items() if key != "false_alarms" or rated}


_TRANSFER_COLUMNS = {
    "protocol": "protocol",
    "model": "model",
    "before": "before %",
    "adapted": "adapted %",
    "accuracy": "kept %",
    "worst": "worst cell %",
    "transductive": "transductive %",
    "source": "source %",
    "refused": "refused",
    "leak": "leak",
}


def _transfer(document: Document) -> list[str]:
    """Return the table of what adapting did; nothing where nothing has a target."""
    rows = [_transfer_line(row) for row in _clean(document) if row.get("transfer")]
    if not rows:
        return []
    return [
        "## Transfer",
        format_table(rows, _TRANSFER_COLUMNS, markdown=True),
        "Accuracy of the target's test windows, which nothing adapted to (inductive): before the "
        "adaptation, after it, and of the model that was kept, because the guard refuses one whose "
        "agreement within recordings fell by more than 5 points. Worst cell: the lowest of the "
        "kept. Transductive: the kept model on the windows that it was adapted to. Source: on "
        "the source's own test part.",
    ]


def _transfer_line(row: Document) -> dict[str, object]:
    transfer = row["transfer"]
    worst = transfer["worst"]
    place = ", ".join([worst["fold"]] * bool(worst["fold"]) + [f"seed {worst['seed']}"])
    scores = {key: _spread(transfer[key]) for key in ("before", "adapted", "transductive")}
    return {
        "protocol": row["protocol"],
        "model": row["model"],
        **scores,
        "accuracy": _spread(row["accuracy"]),
        "worst": f"{100 * worst['accuracy']:.1f} ({place})",
        "source": _spread(transfer["source"]),
        "refused": f"{transfer['refused']} of {row['cells']}",
        "leak": row["leak"],
    }


_COMPARED = {
    "protocol": "protocol",
    "model": "model",
    "difference": "difference",
    "interval": "95 % interval",
    "pairs": "pairs",
    "p": "p",
    "p_holm": "p (Holm)",
}


def _comparisons(document: Document) -> list[str]:
    """Return the paired differences to the reference model, with what the test is."""
    rows = [
        {**row, "difference": _points(row["difference"]), "interval": _between(row["interval"])}
        | {key: _p_value(row[key]) for key in ("p", "p_holm")}
        for row in document["comparisons"]
    ]
    if not rows:
        return []
    return [
        f"## Differences to {document['reference']}",
        format_table(rows, _COMPARED, markdown=True),
        "Accuracy less that of the reference, in points, paired over the same folds and seeds. "
        "Interval and p are those of the corrected resampled t test (Nadeau and Bengio 2003, "
        "doi:10.1023/A:1024068626366), which allows for overlapping training parts; p (Holm) "
        "is adjusted over all rows (Holm 1979).",
    ]


def _points(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:+.1f}"


def _between(ends: Sequence[float] | None) -> str:
    return "-" if ends is None else f"{_points(ends[0])} to {_points(ends[1])}"


def _p_value(p: float | None) -> str:
    if p is None:
        return "-"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


_TEX = str.maketrans(
    {
        "&": r"\&",
        "%": r"\%",
        "_": r"\_",
        "#": r"\#",
        "$": r"\$",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "\\": r"\textbackslash{}",
        "±": r"$\pm$",
        "→": r"$\to$",
    }
)


def latex(document: Document) -> str:
    """Return the table of accuracies as LaTeX, for the package booktabs."""
    head = ("protocol", "model", "accuracy %", "95 % interval", "recordings right %", "cells")
    keys = ("protocol", "model", "accuracy", "interval", "recordings_right", "cells")
    rows = [_line(row) for row in _clean(document)]
    lines = [[_tex(row[key]) for key in keys] for row in rows]
    body = [" & ".join(cells) + r" \\" for cells in lines]
    heading = " & ".join(_tex(name) for name in head) + r" \\"
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            r"\begin{tabular}{llrrrr}",
            r"\toprule",
            heading,
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _tex(value: object) -> str:
    text = (
        "-" if value is None else f"{100 * value:.1f}" if isinstance(value, float) else str(value)
    )
    return text.translate(_TEX)


def table_csv(document: Document) -> str:
    """Return the rows of the table as CSV, noise too; shares between 0 and 1."""
    rows = []
    for row in document["rows"]:
        flat = {"protocol": row["protocol"], "model": row["model"], "snr_db": row["snr"]}
        for score in ("accuracy", "macro_f1"):
            flat |= {f"{score}_{key}": row[score][key] for key in ("mean", "sd")}
            for kind in ("seeds", "folds"):
                low, high = row[score][f"over_{kind}"] or (None, None)
                flat |= {f"{score}_low_{kind}": low, f"{score}_high_{kind}": high}
        rest = [
            key
            for key in row
            if key not in {"protocol", "model", "snr", "accuracy", "macro_f1", "transfer"}
        ]
        rows.append({**flat, **{key: row[key] for key in rest}, **_flat_transfer(row)})
    return _csv(rows)


def _flat_transfer(row: Document) -> Json:
    """Return the transfer of a row or a cell as columns, shares between 0 and 1."""
    transfer = row.get("transfer") or {}
    return {
        f"transfer_{key}": value["mean"]
        if isinstance(value, Mapping) and "mean" in value
        else value
        for key, value in transfer.items()
        if key != "worst"
    } | ({"transfer_worst": transfer["worst"]["accuracy"]} if "worst" in transfer else {})


def cells_csv(document: Document) -> str:
    """Return a line per cell, and one more for each level of noise."""
    return _csv(document["cells"])


def _csv(rows: Sequence[Document]) -> str:
    names = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _csv_value(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def _csv_value(value: object) -> object:
    """Return a value as a cell that no spreadsheet runs as a formula."""
    return to_cell(value) if isinstance(value, str) else value


def _facts(document: Document) -> list[str]:
    versions, protocols, data = document["versions"], document["protocols"], document["data"]
    packages = [name for name in ("faultdiag", "torch") if name in versions]
    devices = f"; on {', '.join(document['devices'])}" if document["devices"] else ""
    with_data = "; ".join(_recordings(n, p) for n, p in protocols.items() if "recordings" in p)
    planned = sum(row["cells_planned"] for row in _clean(document))
    failed = len(document["failures"])
    return [
        f"- {document['date']}; "
        + ", ".join(f"{name} {' and '.join(versions[name])}" for name in packages)
        + devices,
        f"- data: {data['dataset']} in {data['root']}: {with_data or 'nothing could be prepared'}",
        f"- models: {len(document['models'])}; protocols: {len(protocols)}; seeds: "
        f"{', '.join(map(str, document['seeds']))}; cells: {planned}"
        + (f", **{failed} of them failed** (below)" if failed else ""),
    ]


def _recordings(name: str, protocol: Document) -> str:
    missing = f", {len(protocol['missing'])} missing" if protocol["missing"] else ""
    return f"{name} {counted(protocol['recordings'], 'recording')}{missing}"


def _clean(document: Document) -> list[Json]:
    return [row for row in document["rows"] if row["snr"] is None]


def _line(row: Document) -> dict[str, object]:
    interval, over = best_interval(row)
    finished, planned = row["cells"], row["cells_planned"]
    return {
        "protocol": row["protocol"],
        "model": row["model"],
        "accuracy": _spread(row["accuracy"]),
        "interval": "-"
        if interval is None
        else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}",
        "over": over,
        "macro_f1": _spread(row["macro_f1"]),
        "recordings_right": row["recordings_right"],
        "false_alarms": share_cell(row.get("false_alarm_rate"), row.get("healthy_windows")),
        "cells": str(planned) if finished == planned else f"{finished} of {planned}",
        "test_windows": None if row["test_windows"] is None else round(row["test_windows"]),
        "window": f"{row['window_seconds']:.3g}",
        "leak": row["leak"],
    }


def _spread(score: Mapping[str, float | None]) -> str:
    if score["mean"] is None:
        return "-"
    sd = "" if score["sd"] is None else f" ± {100 * score['sd']:.1f}"
    return f"{100 * score['mean']:.1f}{sd}"


def _noise(document: Document) -> list[str]:
    noisy = [row for row in document["rows"] if row["snr"] is not None]
    sections = []
    for protocol in document["protocols"]:
        rows = [row for row in noisy if row["protocol"] == protocol]
        if rows:
            sections += _noise_on(protocol, rows, document)
    return sections


def _noise_on(protocol: str, rows: Sequence[Document], document: Document) -> list[str]:
    """Return heading, table and explanation of the scores with noise on one protocol."""
    levels = dict.fromkeys(row["snr"] for row in rows)
    kinds = list(dict.fromkeys(_kind(row) for row in rows))
    columns = {"model": "model", **{str(level): f"{level:g} dB" for level in levels}}
    lines: dict[str, dict[str, object]] = {}
    for row in rows:
        key = f"{row['model']}, {_kind(row)}" if len(kinds) > 1 else row["model"]
        line = lines.setdefault(key, {"model": key})
        line[str(row["snr"])] = _spread(row["accuracy"])
        if (alone := row.get("noise_alone")) is not None:
            columns["alone"] = "noise alone"
            line["alone"] = f"{100 * alone:.1f}"
    return [
        f"## Noise on {protocol}",
        format_table(list(lines.values()), columns, markdown=True),
        f"Accuracy in %, mean ± standard deviation over seeds, with {' or '.join(kinds)} noise "
        "added to the raw test windows only: its power is that of each window, mean removed, at "
        f"this signal-to-noise ratio. {_noise_in_training(document)}{_alone(columns)}",
    ]


def _kind(row: Document) -> str:
    return str(row.get("kind", "white"))


def _alone(columns: Mapping[str, str]) -> str:
    if "alone" not in columns:
        return ""
    return (
        " Noise alone: the share right on the scaled noise without the signal; above the share of "
        "one class, a model reads the level of the windows."
    )


def _noise_in_training(document: Document) -> str:
    models = document["trained_on_noise"]
    if models:
        return f"Training added noise too (train.augment.snr) for: {', '.join(models)}."
    return "Training saw no noise."


def _legend(document: Document) -> list[str]:
    lines = []
    for name, protocol in document["protocols"].items():
        folds = f" Folds: {', '.join(protocol['folds'])}." if protocol["folds"] else ""
        leak = leak_meaning(protocol["leak"])
        epochs = ", ".join(map(str, [*protocol["epochs"], *protocol.get("steps", [])]))
        lines.append(
            f"- **{name}**: {protocol['meaning']}.{folds} Epochs of a network: {epochs}. Leak: "
            f"{protocol['leak'] or '-'}: {leak}."
        )
        notes = [_short(note) for note in protocol["notes"]]
        lines += [f"  - {note}" for note in notes[:_MOST_NOTES]]
        if len(notes) > _MOST_NOTES:
            lines.append(f"  - and {len(notes) - _MOST_NOTES} more notes in `results.json`")
    return lines


def _short(note: str, most: int = 200) -> str:
    return note if len(note) <= most else f"{note[:most].rpartition(' ')[0]} …"


def _listed(title: str, lines: Sequence[str]) -> list[str]:
    return [f"## {title}", "\n".join(f"- {line}" for line in lines)] if lines else []


def _lengths(trainings: Sequence[TrainConfig]) -> dict[str, list[int] | list[str]]:
    """Return how long networks are trained: in epochs, and in steps where these are set."""
    epochs = {train.epochs for train in trainings if train.steps is None}
    steps = {train.steps for train in trainings if train.steps is not None}
    return {"epochs": sorted(epochs), "steps": [f"{n} steps" for n in sorted(steps)]}


# What a reader of ``cells.csv`` or the document needs of a cell; the config has it all.
_KEPT = (
    *("accuracy", "macro_f1", "recording_accuracy", "windows", "recordings", "classes"),
    *("valid_accuracy", "best_epoch", "epochs", "window_seconds", "leak", "shared_samples"),
    *("leaking_test_windows", "seconds", "device", "key"),
)


def document(plan: Plan, results: Sequence[Result], data: dict[str, Json], title: str) -> Json:
    """Return the whole comparison as plain JSON types.

    Parameters
    ----------
    results
        Every planned cell with its row.
    data
        What was prepared for each protocol: ``recordings`` (how many) and ``missing``.
    """
    done = [row for _, row in results if "reason" not in row]
    rows = table_rows(plan, results)
    return {
        "title": title,
        "date": datetime.now(UTC).astimezone().isoformat(timespec="seconds"),
        **_environment(done),
        "data": {"dataset": plan.base.data.dataset, "root": str(plan.base.data.root)},
        "seeds": list(plan.seeds),
        "models": list(plan.models),
        "noise": list(plan.noise),
        "trained_on_noise": _trained_on_noise(plan),
        "protocols": {
            name: _protocol(name, plan, results, rows, data.get(name, {}))
            for name in plan.protocols
        },
        "rows": rows,
        "reference": plan.reference,
        "comparisons": compare(plan, results, plan.reference),
        "cells": [cell for result in results for cell in _cells(*result)],
        "failures": [_failure(*result) for result in results if "reason" in result[1]],
        "warnings": sorted({text for row in done for text in row["warnings"]}),
        "notes": list(plan.notes),
    }


def _protocol(
    name: str,
    plan: Plan,
    results: Sequence[Result],
    rows: Sequence[Document],
    prepared: Document,
) -> Json:
    """Return the text on one protocol: its split, its folds, its data."""
    return {
        "meaning": meaning(plan.splits[name]),
        "leak": worst_leak([row["leak"] for row in rows if row["protocol"] == name]),
        "split": plan.splits[name],
        "folds": _folds(plan, name),
        **_lengths([c.config.train for c in plan.cells if c.protocol == name]),
        **prepared,
        "notes": _notes(name, results),
    }


def _environment(done: Sequence[Document]) -> Json:
    return {"versions": _versions(done), "devices": sorted({row["device"] for row in done})}


def _trained_on_noise(plan: Plan) -> list[str]:
    return sorted({cell.model for cell in plan.cells if cell.config.train.augment.snr})


def _failure(cell: Cell, row: Document) -> Json:
    return {"cell": str(cell), **_place(cell), "reason": row["reason"]}


def _versions(rows: Sequence[Document]) -> dict[str, list[str]]:
    """Return each package with the versions that trained the cells."""
    by_package: dict[str, set[str]] = {}
    for row in rows:
        for name, version in row["versions"].items():
            by_package.setdefault(name, set()).add(version)
    return {name: sorted(versions) for name, versions in by_package.items()}


def _folds(plan: Plan, protocol: str) -> list[str]:
    names = dict.fromkeys(cell.fold for cell in plan.cells if cell.protocol == protocol)
    return [name for name in names if name]


def _notes(protocol: str, results: Sequence[Result]) -> list[str]:
    rows = [row for cell, row in results if cell.protocol == protocol and "reason" not in row]
    return list(dict.fromkeys(note for row in rows for note in row["notes"]))


def _place(cell: Cell) -> Json:
    return {key: getattr(cell, key) for key in ("model", "protocol", "fold", "seed")}


def _cells(cell: Cell, row: Json) -> Iterator[Json]:
    """Yield a cell as it is, and once more for each level of noise."""
    place = {**_place(cell), "snr": None}
    if "reason" in row:
        yield {**place, "reason": row["reason"]}
        return
    kept = {**{key: row[key] for key in _KEPT}, **_flat_transfer(row)}
    clean = {**place, **kept, "reason": None}
    yield clean
    for level in cell.levels:
        kind, snr = kind_and_snr(level)
        yield {**clean, "snr": snr, "noise": kind, **row["noise"][level]}
