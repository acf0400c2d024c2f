"""The document of a comparison: what ``results.json`` holds and the other files are made of."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from faultdiag.protocol.aggregate import LEAKS, Result, table_rows
from faultdiag.protocol.legend import meaning
from faultdiag.protocol.plan import Plan

# What a reader of ``cells.csv`` or the document needs of a cell; the config has it all.
_KEPT = (
    *("accuracy", "macro_f1", "recording_accuracy", "windows", "recordings", "classes"),
    *("valid_accuracy", "best_epoch", "epochs", "window_seconds", "leak", "shared_samples"),
    *("leaking_test_windows", "seconds", "device", "key"),
)


def document(
    plan: Plan, results: Sequence[Result], data: dict[str, dict[str, Any]], title: str
) -> dict[str, Any]:
    """Give the whole comparison as plain JSON types.

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
        "versions": _versions(done),
        "devices": sorted({row["device"] for row in done}),
        "data": {"dataset": plan.base.data.dataset, "root": str(plan.base.data.root)},
        "seeds": list(plan.seeds),
        "models": list(plan.models),
        "noise": list(plan.noise),
        "trained_on_noise": sorted(
            {cell.model for cell in plan.cells if cell.config.train.augment.snr}
        ),
        "protocols": {
            name: {
                "meaning": meaning(plan.splits[name]),
                "leak": _worst([row["leak"] for row in rows if row["protocol"] == name]),
                "split": plan.splits[name],
                "folds": _folds(plan, name),
                "epochs": sorted({c.config.train.epochs for c in plan.cells if c.protocol == name}),
                **data.get(name, {}),
                "notes": _notes(name, results),
            }
            for name in plan.protocols
        },
        "rows": rows,
        "cells": [cell for result in results for cell in _cells(*result)],
        "failures": [
            {"cell": str(cell), **_place(cell), "reason": row["reason"]}
            for cell, row in results
            if "reason" in row
        ],
        "warnings": sorted({text for row in done for text in row["warnings"]}),
        "notes": list(plan.notes),
    }


def _versions(rows: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """Give each package with the versions that cells were trained by: one, unless resumed later."""
    found: dict[str, set[str]] = {}
    for row in rows:
        for name, version in row["versions"].items():
            found.setdefault(name, set()).add(version)
    return {name: sorted(versions) for name, versions in found.items()}


def _worst(leaks: Sequence[str | None]) -> str | None:
    return next((leak for leak in LEAKS if leak in leaks), None)


def _folds(plan: Plan, protocol: str) -> list[str]:
    names = dict.fromkeys(cell.fold for cell in plan.cells if cell.protocol == protocol)
    return [name for name in names if name]


def _notes(protocol: str, results: Sequence[Result]) -> list[str]:
    rows = [row for cell, row in results if cell.protocol == protocol and "reason" not in row]
    return list(dict.fromkeys(note for row in rows for note in row["notes"]))


def _place(cell: Any) -> dict[str, Any]:
    return {key: getattr(cell, key) for key in ("model", "protocol", "fold", "seed")}


def _cells(cell: Any, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give a cell as it is, and once more for each level of noise."""
    place = {**_place(cell), "snr": None}
    if "reason" in row:
        yield {**place, "reason": row["reason"]}
        return
    clean = {**place, **{key: row[key] for key in _KEPT}, "reason": None}
    yield clean
    for level in cell.noise:
        yield {**clean, "snr": level, **row["noise"][str(level)]}
