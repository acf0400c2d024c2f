"""Facts about every network, baseline and attention block.

Those of our own are stored in the package, because computing them takes seconds: every network
is built and counted. ``scripts/list_figures.py`` writes them, and a test computes them again.
"""

import json
from importlib.resources import files

from faultdiag.attention import BLOCKS
from faultdiag.baselines import BASELINES
from faultdiag.bundled.catalogue import MODELS
from faultdiag.documents import Json
from faultdiag.models.zoo import NETWORKS

STORED = "figures.json"

Facts = Json


def model_facts() -> list[Facts]:
    """Return the facts of every network and baseline; see `faultdiag.models.describe`."""
    stored = stored_facts()["models"]
    names = [*NETWORKS, *BASELINES]
    if all(name in stored for name in names):
        return [stored[name] for name in names]
    from faultdiag.models.describe import describe

    return [plain(row) for row in describe()]


def bundled_facts() -> list[Facts]:
    """Return the facts of every model in the box: what it does, knows and can't know, its files."""
    return [
        {
            "name": model.name,
            "summary": model.summary,
            "classes": list(model.classes),
            "seconds": model.seconds,
            "bytes": model.path.stat().st_size,
            "limits": list(model.limits),
            "checkpoint": str(model.path),
            "card": str(model.card),
        }
        for model in MODELS.values()
    ]


def block_facts() -> list[Facts]:
    """Return the facts of every attention block; see `faultdiag.models.describe`."""
    stored = stored_facts()["attention"]
    if all(name in stored for name in BLOCKS):
        return [stored[name] for name in BLOCKS]
    from faultdiag.models.describe import describe_blocks

    return [plain(row) for row in describe_blocks()]


def stored_facts() -> dict[str, dict[str, Facts]]:
    """Return the stored facts by name, of ``models`` and of ``attention``."""
    text = files("faultdiag.api").joinpath(STORED).read_text(encoding="utf-8")
    document: dict[str, dict[str, Facts]] = json.loads(text)
    return document


def computed_facts() -> dict[str, dict[str, Facts]]:
    """Compute the facts of our own components, as `stored_facts` returns them."""
    from faultdiag.models.describe import describe, describe_blocks

    facts: dict[str, list[Facts]] = {
        "models": [plain(row) for row in describe()],
        "attention": [plain(row) for row in describe_blocks()],
    }
    own = {*filter(NETWORKS.is_own, NETWORKS), *filter(BASELINES.is_own, BASELINES)}
    own |= set(filter(BLOCKS.is_own, BLOCKS))
    return {
        kind: {row["name"]: row for row in rows if row["name"] in own}
        for kind, rows in facts.items()
    }


def plain(row: object) -> Facts:
    """Return facts as JSON holds them: texts as keys, lists for tuples."""
    facts: Facts = json.loads(json.dumps(row))
    return facts
