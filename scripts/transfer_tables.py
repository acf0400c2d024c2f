"""Write the tables of docs/transfer.md from the finished cells of protocol_transfer.yaml.

    python scripts/transfer_tables.py RUN        RUN is the folder of `faultdiag protocol`
    python scripts/docs_tables.py

A run cut short has rows for what is finished: each says how many pairs and seeds they are. Stored
rows that it has no cells of stay; the column ``schedule`` says how each was trained.
"""

import argparse
import json
import re
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from faultdiag.protocol.section import read_section
from faultdiag.report.tables import format_table
from faultdiag.system import files
from faultdiag.training.adaptation import trains

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "configs" / "protocol_transfer.yaml"
COMMAND = "faultdiag protocol configs/protocol_transfer.yaml"
# Accuracies of a published comparison (UDTL, last epoch), which adapts to what it tests.
PUBLISHED = {
    "none": 93.3,
    "adabn": 93.5,
    "coral": 95.1,
    "jmmd": 99.6,
    "cdan": 99.3,
    "dann": 99.7,
    "mk_mmd": 97.5,
}
PAIRS = {
    "row": "network, method",
    "schedule": "schedule",
    "cells": "pairs × seeds",
    "before": "before %",
    "adapted": "inductive %",
    "worst": "worst pair %",
    "transductive": "transductive %",
    "source": "source %",
    "published": "published %",
}
TARGETS = {
    "protocol": "target",
    "row": "network, method",
    "schedule": "schedule",
    "cells": "cells",
    "before": "before %",
    "adapted": "adapted %",
    "agreement": "agreement before → after %",
    "refused": "refused",
}


def cells(folder: Path) -> list[dict[str, Any]]:
    """The finished cells, each with its protocol, row, fold and seed."""
    document = files.read(CONFIG)
    assert isinstance(document, dict)  # it is shipped with the project
    section, _ = read_section(document["protocol"])
    names = sorted(section.protocols or () if section else (), key=len, reverse=True)
    place = re.compile(
        rf"(?P<row>.+), (?P<protocol>{'|'.join(map(re.escape, names))})(?: (?P<fold>\S+))?, "
        r"seed (?P<seed>\d+)"
    )
    rows = {}
    for line in (folder / "cells.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found = place.fullmatch(row.get("cell", ""))
        if found:
            own = {"accuracy": row["accuracy"], "schedule": schedule(row["config"])}
            rows[row["key"]] = {**row["transfer"], **own, **found.groupdict()}
    return list(rows.values())


def schedule(config: dict[str, Any]) -> str:
    """How long the source is trained and the target adapted to, in steps or epochs."""
    train, transfer = config["train"], config["transfer"]
    if not train["steps"]:
        return f"{train['epochs']} epochs"
    adapts = transfer["steps"] and trains(transfer["method"])
    return f"{train['steps']}{' + ' + str(transfer['steps']) if adapts else ''} steps"


def percent(values: Sequence[float]) -> str:
    return f"{100 * statistics.fmean(values):.1f}"


def with_deviation(rows: Sequence[dict[str, Any]], key: str) -> str:
    """The mean in percent, and the standard deviation over the means of seeds, with two or more."""
    seeds = sorted({row["seed"] for row in rows})
    means = [100 * statistics.fmean(r[key] for r in rows if r["seed"] == seed) for seed in seeds]
    text = percent([row[key] for row in rows])
    return f"{text} ± {statistics.stdev(means):.1f}" if len(means) > 1 else text


def of_pairs(rows: Sequence[dict[str, Any]]) -> dict[str, object]:
    """A line on pairs of conditions: the adapted model, whatever the guard kept."""
    worst = min(rows, key=lambda row: row["adapted"])
    means = {
        key: percent([row[key] for row in rows]) for key in ("before", "transductive", "source")
    }
    means["adapted"] = with_deviation(rows, "adapted")
    pairs = len({row["fold"] for row in rows})
    seeds = sorted({int(row["seed"]) for row in rows})
    short = f" ({len(rows)} cells)" if len(rows) < pairs * len(seeds) else ""
    return {
        "row": rows[0]["row"],
        "schedule": rows[0]["schedule"],
        "cells": f"{pairs} × {len(seeds)}{short}",
        **means,
        "worst": f"{100 * worst['adapted']:.1f} ({worst['fold']}, seed {worst['seed']})",
        "published": str(PUBLISHED.get(rows[0]["method"], "–")),
    }


def of_target(rows: Sequence[dict[str, Any]]) -> dict[str, object]:
    """A line on one target, with what the guard saw and did."""
    ends = [percent([row[f"agreement_{when}"] for row in rows]) for when in ("before", "after")]
    return {
        "protocol": rows[0]["protocol"],
        "row": rows[0]["row"],
        "schedule": rows[0]["schedule"],
        "cells": len(rows),
        "before": percent([row["before"] for row in rows]),
        "adapted": percent([row["adapted"] for row in rows]),
        "agreement": " → ".join(ends),
        "refused": f"{sum(bool(row['refused']) for row in rows)} of {len(rows)}",
    }


def grouped(rows: Sequence[dict[str, Any]], protocols: Sequence[str]) -> list[list[dict[str, Any]]]:
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        if row["protocol"] in protocols:
            groups.setdefault((row["protocol"], row["row"]), []).append(row)
    ordered = sorted(groups, key=lambda key: (protocols.index(key[0]), -len(groups[key])))
    return [groups[key] for key in ordered]


def store(
    name: str, columns: dict[str, str], lines: Sequence[dict[str, object]], note: str
) -> None:
    path = ROOT / "docs" / "results" / f"{name}.json"
    stored = json.loads(path.read_text(encoding="utf-8"))["rows"]
    rows = [[line[key] for key in columns] for line in lines]
    names = 1 + list(columns).index("row")  # the first columns say what a row is of
    measured = [row[:names] for row in rows]
    document = {
        "command": f"{COMMAND}; {note}",
        "columns": list(columns.values()),
        "rows": rows + [row for row in stored if row[:names] not in measured],
    }
    files.write_text(path, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    print(f"{path}\n{format_table(lines, columns)}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run", type=Path)
    rows = cells(parser.parse_args().run)
    note = "published: other networks, adapted to windows between those tested"
    store("transfer", PAIRS, [of_pairs(group) for group in grouped(rows, ["loads"])], note)
    others = [key for key in PAIRS if key != "published"]
    leaking = [of_pairs(group) for group in grouped(rows, ["published"])]
    note = "window 1024, adapted to a random 80 % of the target's windows, tested on the rest"
    store("transfer-published", {key: PAIRS[key] for key in others}, leaking, note)
    targets = ["loads, ten classes", "speeds", "three of nine", "mostly healthy", "ends"]
    lines = [of_target(group) for group in grouped(rows, targets)]
    store("transfer-targets", TARGETS, lines, "of each target the mean over its pairs, one seed")


if __name__ == "__main__":
    main()
