"""The protocols of a config that names none: its own split, and what its recordings allow."""

from collections.abc import Sequence
from typing import Any

from faultdiag.config import Config
from faultdiag.datasets import Entry
from faultdiag.errors import FaultdiagError
from faultdiag.preparing.selecting import label_entries, select_recordings

# Strategy, the fact whose values are its groups, and the folds that compare them.
_ACROSS = (("across_loads", "load_hp", "pairs"), ("across_sizes", "size", "each"))


def default_protocols(config: Config) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Give the protocols by name, and what is to be said of those left out.

    Across loads and sizes need two values of the fact, and that whatever is tested is trained
    on. Where the classes themselves name the size, `data.label` leaves it out.

    Raises
    ------
    FaultdiagError
        If the recordings can't be found or labelled.
    """
    entries = select_recordings(config).entries
    label = config.data.label
    label_entries(entries, label)
    protocols: dict[str, dict[str, Any]] = {config.split.strategy: {}}
    notes = []
    for strategy, fact, folds in _ACROSS:
        if strategy in protocols:
            continue
        split = {"strategy": strategy, "folds": folds}
        coarser = label.replace(f"{{{fact}}}", "")
        for pattern in dict.fromkeys((label, coarser)):
            lacking = _lacking(entries, pattern, fact, pairs=folds == "pairs")
            if lacking is None:
                protocols[strategy] = {"split": split, "data": {"label": pattern}}
                break
        else:
            notes.append(f"{strategy} is left out: {lacking}; name it in protocol.protocols")
    return protocols, notes


def _lacking(entries: Sequence[Entry], pattern: str, fact: str, *, pairs: bool) -> str | None:
    """Say what keeps the values of a fact from being folds, or None."""
    try:
        labels = label_entries(entries, pattern)
    except FaultdiagError as error:
        return str(error)
    classes: dict[Any, set[str]] = {}
    for entry, label in zip(entries, labels, strict=True):
        classes.setdefault(entry.facts.get(fact), set()).add(label)
    everywhere = classes.pop(None, set())
    if len(classes) < 2:
        values = ", ".join(map(str, classes)) or "none"
        return f"it needs two values of {fact}, the recordings selected have {values}"
    for test, tested in classes.items():
        others = [known for value, known in classes.items() if value != test]
        for trained in others if pairs else [set().union(*others)]:
            strange = sorted(tested - trained - everywhere)
            if strange:
                return (
                    f"{fact} {test} has {', '.join(strange)}, which not every training part would "
                    "have"
                )
    return None
