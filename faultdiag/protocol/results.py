"""Finished cells: on the disk, a line each, and aggregated over seeds and folds.

A killed comparison continues where it was.
"""

import hashlib
import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from faultdiag.config.schema import Config
from faultdiag.documents import Document, Json, parse_json
from faultdiag.errors import FaultdiagError
from faultdiag.metrics.intervals import holm, mean_interval, paired_difference
from faultdiag.protocol.plan import Cell, Plan, kind_and_snr
from faultdiag.splits.sharing import LEVELS
from faultdiag.system.cluster import Shard

Row = Json


def cell_key(config: Config, identity: str) -> str:
    """Return the key of a cell: its settings, data and versions, not places of data or logs.

    Parameters
    ----------
    config
        Resolved, of one fold and seed.
    identity
        That of the prepared data: it covers the bytes of every recording.
    """
    settings = config.model_dump(mode="json")
    for section, key in (
        ("data", "root"),
        ("data", "prepared"),
        ("train", "threads"),
        ("train", "mlflow"),
    ):
        del settings[section][key]
    # Keys of before hold its default.
    settings["train"]["tensorboard"] = False
    versions = [version(name) for name in ("faultdiag", "torch")]
    text = json.dumps([settings, identity, versions], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Store:
    """The rows of finished cells in ``cells.jsonl``; the last of equal keys counts.

    A line that is no row, as a kill while writing leaves one at the end, is passed over.

    Parameters
    ----------
    folder
        The folder of the file; made if it isn't there. Files of shards there are read too.
    shard
        The shard whose rows are added, to a file of its own: ``cells.2-of-8.jsonl``.

    Raises
    ------
    FaultdiagError
        If the folder can't be made, or the file not be read.
    """

    def __init__(self, folder: Path, shard: Shard | None = None) -> None:
        part = "" if shard is None else f".{shard.index}-of-{shard.count}"
        self.path = folder / f"cells{part}.jsonl"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            texts = {path: path.read_bytes() for path in sorted(folder.glob("cells*.jsonl"))}
        except OSError as error:
            raise self._failed("cannot use", error) from error
        own = texts.get(self.path, b"")
        self._torn = bool(own) and not own.endswith(b"\n")
        lines = (json_row(line) for text in texts.values() for line in text.splitlines())
        self._rows: dict[str, Row] = {}
        self._reasons: dict[str, Row] = {}
        for row in filter(None, lines):
            self._keep(row)

    def failure(self, key: str) -> Row | None:
        """Return why a cell failed in its shard, or None."""
        return self._reasons.get(key)

    def get(self, key: str, levels: tuple[str, ...]) -> Row | None:
        """Return the row of a finished cell, if it was evaluated at these levels too."""
        row = self._rows.get(key)
        return row if row and {*levels} <= row["noise"].keys() else None

    def add(self, row: Document) -> None:
        """Append a row and force it to the disk.

        Raises
        ------
        FaultdiagError
            If it can't be written.
        """
        line = json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"
        try:
            with self.path.open("ab") as file:
                # After a torn line the first row would be lost with it.
                file.write((("\n" if self._torn else "") + line).encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise self._failed("cannot write", error) from error
        self._torn = False
        self._keep(dict(row))

    def _keep(self, row: Row) -> None:
        (self._reasons if "reason" in row else self._rows)[row["key"]] = row

    def _failed(self, what: str, error: OSError) -> FaultdiagError:
        return FaultdiagError(
            f"{what} {self.path}: {error.strerror}; give another folder with --out, or free some "
            "space"
        )


def json_row(line: bytes) -> Row | None:
    """Return the row of a finished or failed cell that a line holds, or None."""
    try:
        row = parse_json(line)
    except ValueError:
        return None
    whole = isinstance(row, dict) and "key" in row
    known = whole and (isinstance(row.get("noise"), dict) or "reason" in row)
    return row if known else None


Result = tuple[Cell, Row]

# From the one that says least about another machine to the one that says most.
LEAKS = (*LEVELS, "-")

# Scores of a cell with transfer that are averaged beside its accuracy.
_TRANSFER = ("before", "adapted", "transductive", "source")


def table_rows(plan: Plan, results: Sequence[Result]) -> list[Row]:
    """Return a row for each protocol and model, and below them one for each level of noise.

    Parameters
    ----------
    results
        Every planned cell with its row; a failed one has a ``reason`` in it.
    """
    rows = []
    for protocol in plan.protocols:
        groups = {
            model: group
            for model in plan.models
            if (group := [(c, r) for c, r in results if (c.protocol, c.model) == (protocol, model)])
        }
        rows += [aggregate(group, None) for group in groups.values()]
        levels = next(iter(groups.values()))[0][0].levels
        rows += [aggregate(group, level) for group in groups.values() for level in levels]
    return rows


def compare(plan: Plan, results: Sequence[Result], reference: str) -> list[Row]:
    """Compare every model with a reference on every protocol, over the same folds and seeds.

    Returns
    -------
    list
        A row per protocol and other model: ``difference`` in accuracy, ``interval``, ``p`` of the
        corrected resampled t test, ``p_holm`` adjusted over all rows, and the number of
        ``pairs``. See `faultdiag.metrics.intervals`.
    """
    scores = _scores_by_cell(results)
    planned = {(cell.protocol, cell.model) for cell in plan.cells}
    rows = [
        _compared(scores, protocol, model, reference)
        for protocol in plan.protocols
        for model in plan.models
        if model != reference and {(protocol, model), (protocol, reference)} <= planned
    ]
    adjusted = holm([row["p"] for row in rows])
    return [{**row, "p_holm": p} for row, p in zip(rows, adjusted, strict=True)]


def _scores_by_cell(results: Sequence[Result]) -> dict[tuple[str, str, str, int], Row]:
    """Return the rows that can be compared by protocol, model, fold and seed."""
    return {
        (cell.protocol, cell.model, cell.fold, cell.seed): row
        for cell, row in results
        if "reason" not in row and "test_to_train" in row
    }


def _compared(
    scores: Mapping[tuple[str, str, str, int], Row], protocol: str, model: str, reference: str
) -> Row:
    pairs = [
        (row, scores[protocol, reference, fold, seed])
        for (where, name, fold, seed), row in scores.items()
        if (where, name) == (protocol, model) and (protocol, reference, fold, seed) in scores
    ]
    row: Row = {"protocol": protocol, "model": model, "reference": reference, "pairs": len(pairs)}
    if not pairs:
        return {**row, "difference": None, "interval": None, "p": None}
    differences = [mine["accuracy"] - theirs["accuracy"] for mine, theirs in pairs]
    ratio = sum(mine["test_to_train"] for mine, _ in pairs) / len(pairs)
    mean, low, high, p = paired_difference(differences, ratio)
    interval = None if low is None or high is None else [low, high]
    return {**row, "difference": mean, "interval": interval, "p": p}


def aggregate(group: Sequence[Result], level: str | None) -> Row:
    """Return the row of one model on one protocol, clean or at one level of noise.

    The mean is over seeds, of each the mean over folds; a seed of which a fold has failed doesn't
    count. ``sd`` is that over seeds of the mean over folds.
    ``over_seeds`` and ``over_folds`` are the ends of 95 % t intervals of the mean: over
    seeds, of each the mean over folds; over folds, of each the mean over seeds. Shares are
    between 0 and 1, and intervals are cut there. Whatever can't be said is None.

    Parameters
    ----------
    group
        The cells of the model on the protocol, failed ones too.
    level
        Of noise, or None for the test part as it is.
    """
    first = group[0][0]
    kind, snr = (None, None) if level is None else kind_and_snr(level)
    done = [(cell, row) for cell, row in group if "reason" not in row]
    scored = done if level is None else [(cell, row["noise"][level]) for cell, row in done]
    return {
        "protocol": first.protocol,
        "model": first.model,
        "kind": kind,
        "snr": snr,
        "accuracy": _spread(scored, "accuracy"),
        "macro_f1": _spread(scored, "macro_f1"),
        "recordings_right": _spread(scored, "recording_accuracy")["mean"],
        "noise_alone": _mean(_values(scored, _ALONE)),
        "cells": len(done),
        "cells_planned": len(group),
        "seeds": len({cell.seed for cell, _ in done}),
        "folds": len({cell.fold for cell, _ in done}),
        "test_windows": _mean(_values(done, "windows")),
        **_false_alarms(scored),
        "test_recordings": _mean(_values(done, "recordings")),
        "window_seconds": first.config.window.length / first.config.data.sampling_rate,
        "classes": _only(_values(done, "classes")),
        "leak": worst_leak(_values(done, "leak")),
        "transfer": _transfer(done) if snr is None else None,
    }


def worst_leak(leaks: Collection[str | None]) -> str | None:
    """Return the leak that says least about another machine; None if none is known."""
    return next((leak for leak in LEAKS if leak in leaks), None)


def _false_alarms(scored: Sequence[Result]) -> Row:
    """Return the mean false-alarm rate and the fewest healthy windows that it was measured on."""
    rated = [(cell, row) for cell, row in scored if row.get("false_alarm_rate") is not None]
    return {
        "false_alarm_rate": _mean(_values(rated, "false_alarm_rate")),
        "healthy_windows": min(_values(rated, "healthy_windows"), default=None),
    }


def _transfer(done: Sequence[Result]) -> Row | None:
    """Return the effect of a row's cells on the target; None without transfer.

    ``before`` and ``adapted`` are as of a cell, whatever the guard kept; ``worst`` is the lowest
    accuracy of a cell, and where it was; ``refused`` counts the cells whose adapted model the
    guard refused.
    """
    rows = [(cell, row) for cell, row in done if row.get("transfer")]
    if not rows:
        return None
    scored = [(cell, row["transfer"]) for cell, row in rows]
    cell, row = min(rows, key=lambda pair: pair[1]["accuracy"])
    return {
        "method": scored[0][1]["method"],
        **{key: _spread(scored, key) for key in _TRANSFER},
        "worst": {"accuracy": row["accuracy"], "fold": cell.fold, "seed": cell.seed},
        "refused": sum(bool(kept["refused"]) for _, kept in scored),
    }


_ALONE = "noise_only_accuracy"


def _values(cells: Sequence[Result], key: str) -> list[Any]:
    """Return a value of every cell that has it."""
    return [row[key] for _, row in cells if row.get(key) is not None]


def _spread(scored: Sequence[tuple[Cell, Document]], score: str) -> Json:
    by_seed = list(_means(scored, score, "seed", "fold"))
    by_fold = list(_means(scored, score, "fold", "seed"))
    if not by_seed:
        return {"mean": None, "sd": None, "over_seeds": None, "over_folds": _ends(by_fold)}
    over_seeds = mean_interval(by_seed)
    return {
        "mean": over_seeds.mean,
        "sd": over_seeds.sd,
        "over_seeds": _ends(by_seed),
        "over_folds": _ends(by_fold),
    }


def _means(
    scored: Sequence[tuple[Cell, Document]], score: str, axis: str, other: str
) -> Iterator[float]:
    """Return the mean score of each seed over its folds, or of each fold over its seeds.

    Rows with a missing cell are left out: their mean would be over other cells.
    """
    values: dict[object, list[float]] = {}
    for cell, row in scored:
        if row[score] is not None:
            values.setdefault(getattr(cell, axis), []).append(row[score])
    whole = max((len(scores) for scores in values.values()), default=0)
    whole = max(whole, len({getattr(cell, other) for cell, _ in scored}))
    return (sum(scores) / whole for scores in values.values() if len(scores) == whole)


def _ends(values: Sequence[float]) -> list[float] | None:
    if not values:
        return None
    _, _, low, high = mean_interval(values)
    # The t interval knows no bounds, a share does.
    return None if low is None or high is None else [max(low, 0.0), min(high, 1.0)]


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _only(values: Sequence[int]) -> int | None:
    return values[0] if len(set(values)) == 1 else None
