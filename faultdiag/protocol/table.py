"""The comparison as text: ``table.md``, ``table.csv`` and ``cells.csv``."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from faultdiag.metrics import format_table
from faultdiag.protocol.legend import leak_meaning

Document = Mapping[str, Any]

_COLUMNS = {
    "protocol": "protocol",
    "model": "model",
    "accuracy": "accuracy %",
    "interval": "95 % interval",
    "over": "over",
    "macro_f1": "macro-F1 %",
    "recordings_right": "recordings right %",
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
    """Give the whole comparison as Markdown that is understood without anything else."""
    parts = [
        f"# {document['title']}",
        "\n".join(_facts(document)),
        format_table([_line(row) for row in _clean(document)], _COLUMNS, markdown=True),
        _CAPTION,
        *_noise(document),
        "## Protocols",
        "\n".join(_legend(document)),
        *_listed("Failed cells", [f"{f['cell']}: {f['reason']}" for f in document["failures"]]),
        *_listed("Notes", [*document["notes"], *document["warnings"]]),
    ]
    return "\n\n".join(parts) + "\n"


def table_csv(document: Document) -> str:
    """Give the rows of the table as CSV, noise too; shares between 0 and 1."""
    rows = []
    for row in document["rows"]:
        flat = {"protocol": row["protocol"], "model": row["model"], "snr_db": row["snr"]}
        for score in ("accuracy", "macro_f1"):
            flat |= {f"{score}_{key}": row[score][key] for key in ("mean", "sd")}
            for kind in ("seeds", "folds"):
                low, high = row[score][f"over_{kind}"] or (None, None)
                flat |= {f"{score}_low_{kind}": low, f"{score}_high_{kind}": high}
        rest = [
            key for key in row if key not in {"protocol", "model", "snr", "accuracy", "macro_f1"}
        ]
        rows.append({**flat, **{key: row[key] for key in rest}})
    return _csv(rows)


def cells_csv(document: Document) -> str:
    """Give a line per cell, and one more for each level of noise."""
    return _csv(document["cells"])


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _facts(document: Document) -> list[str]:
    versions = {name: " and ".join(found) for name, found in document["versions"].items()}
    data, protocols = document["data"], document["protocols"]
    with_data = "; ".join(
        f"{name} {p['recordings']} recordings"
        + (f", {len(p['missing'])} missing" if p["missing"] else "")
        for name, p in protocols.items()
        if "recordings" in p
    )
    planned = sum(row["cells_planned"] for row in _clean(document))
    failed = len(document["failures"])
    return [
        f"- {document['date']}; "
        + ", ".join(f"{n} {versions[n]}" for n in ("faultdiag", "torch") if n in versions)
        + (f"; on {', '.join(document['devices'])}" if document["devices"] else ""),
        f"- data: {data['dataset']} in {data['root']}: {with_data or 'nothing could be prepared'}",
        f"- models: {len(document['models'])}; protocols: {len(protocols)}; seeds: "
        f"{', '.join(map(str, document['seeds']))}; cells: {planned}"
        + (f", **{failed} of them failed** (below)" if failed else ""),
    ]


def _clean(document: Document) -> list[dict[str, Any]]:
    return [row for row in document["rows"] if row["snr"] is None]


def _line(row: Mapping[str, Any]) -> dict[str, object]:
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
        "cells": str(planned) if finished == planned else f"{finished} of {planned}",
        "test_windows": None if row["test_windows"] is None else round(row["test_windows"]),
        "window": f"{row['window_seconds']:.3g}",
        "leak": row["leak"],
    }


def best_interval(row: Mapping[str, Any]) -> tuple[list[float] | None, str]:
    """Give the interval of accuracy that the table shows, and what it is over."""
    for kind in ("folds", "seeds"):
        ends: list[float] | None = row["accuracy"][f"over_{kind}"]
        if ends is not None:
            return ends, f"{row[kind]} {kind}"
    return None, "-"


def _spread(score: Mapping[str, float | None]) -> str:
    if score["mean"] is None:
        return "-"
    sd = "" if score["sd"] is None else f" ± {100 * score['sd']:.1f}"
    return f"{100 * score['mean']:.1f}{sd}"


def _noise(document: Document) -> list[str]:
    parts = []
    for protocol in document["protocols"]:
        rows = [r for r in document["rows"] if r["protocol"] == protocol and r["snr"] is not None]
        if not rows:
            continue
        levels = list(dict.fromkeys(row["snr"] for row in rows))
        columns = {"model": "model", **{str(level): f"{level:g} dB" for level in levels}}
        lines: dict[str, dict[str, object]] = {}
        for row in rows:
            line = lines.setdefault(row["model"], {"model": row["model"]})
            line[str(row["snr"])] = _spread(row["accuracy"])
        parts += [
            f"## Noise on {protocol}",
            format_table(list(lines.values()), columns, markdown=True),
            "Accuracy in %, mean ± standard deviation over seeds, with white noise added to the "
            "raw test windows only: its power is that of each window, mean removed, at this "
            f"signal-to-noise ratio. {_noise_in_training(document)}",
        ]
    return parts


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
        epochs = ", ".join(map(str, protocol["epochs"]))
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
