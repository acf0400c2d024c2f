"""STAND-IN, to be replaced whole by the module of the same name and interface on branch splits.

A config whose ``split.folds`` is set, as one config for each fold.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from faultdiag.config import Config
from faultdiag.errors import FaultdiagError
from faultdiag.preparing import select_recordings

_FACTS = {"across_loads": "load_hp", "across_sizes": "size"}


@dataclass(frozen=True)
class Fold:
    """One fold: its name, and the config that it is trained by."""

    name: str
    config: Config


def expand(config: Config) -> list[Fold]:
    """Give the folds of a config; one without a name where ``split.folds`` is not set.

    Raises
    ------
    FaultdiagError
        If the recordings can't be found, or the folds are not ``each`` or ``pairs``.
    """
    folds = config.split.options.get("folds")
    if folds is None:
        return [Fold("", config)]
    fact = config.split.options.get("fact", _FACTS.get(config.split.strategy))
    if folds not in {"each", "pairs"} or fact is None:
        raise FaultdiagError(f"split.folds is {folds!r}; this version knows each and pairs")
    facts = [entry.facts.get(str(fact)) for entry in select_recordings(config).entries]
    values = list(dict.fromkeys(value for value in facts if value is not None))
    return [Fold(name, _held_out(config, sides)) for name, sides in _sides(values, folds)]


def _sides(values: Sequence[Any], folds: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if folds == "each":
        for value in values:
            yield str(value), {"test": [value]}
    else:
        for one, other in permutations(values, 2):
            yield f"{one}→{other}", {"train": [one], "test": [other]}


def _held_out(config: Config, sides: dict[str, Any]) -> Config:
    options = {key: value for key, value in config.split.options.items() if key != "folds"}
    split = type(config.split)(strategy=config.split.strategy, **options | sides)
    return config.model_copy(update={"split": split})
