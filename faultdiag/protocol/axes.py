"""The models of a comparison: names, overrides, and the axes that multiply networks."""

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from faultdiag.baselines import BASELINES
from faultdiag.config import Config

# A section whose override names what it is about is replaced whole: the options of another
# network, strategy or window length would not fit it.
_SUBJECTS = {"model": "name", "split": "strategy", "window": "length"}


@dataclass(frozen=True)
class Contender:
    """A row of the table: what it is called and what it changes of the config."""

    name: str
    override: Mapping[str, Any]


def merged(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """Give a config changed by an override, key by key; lists and null replace.

    A section whose override names its subject (``model.name``, ``split.strategy`` or
    ``window.length``) is replaced whole.

    Examples
    --------
    >>> base = {"model": {"name": "wdcnn", "attention": {"name": "eca"}}, "train": {"epochs": 9}}
    >>> merged(base, {"model": {"name": "ticnn"}, "train": {"l2": 0}})
    {'model': {'name': 'ticnn'}, 'train': {'epochs': 9, 'l2': 0}}
    """
    result = deepcopy(dict(base))
    for key, value in override.items():
        whole = isinstance(value, Mapping) and _SUBJECTS.get(key) in value
        result[key] = deepcopy(value) if whole else _laid_over(result.get(key), value)
    return result


def _laid_over(below: Any, above: Any) -> Any:
    if not (isinstance(below, Mapping) and isinstance(above, Mapping)):
        return deepcopy(above)
    result = dict(below)
    for key, value in above.items():
        result[key] = _laid_over(below.get(key), value)
    return result


def contenders(
    base: Config,
    models: Mapping[str, Mapping[str, Any]] | None,
    attention: Sequence[Any] | None,
    representations: Sequence[Any] | None,
) -> list[Contender]:
    """Give every model with every attention and representation; a classical baseline has neither.

    A model whose override states its own attention or representation keeps it.
    """
    found = []
    for name, override in (models or {base.model.name: {}}).items():
        rows = [Contender(name, override)]
        section = override.get("model")
        own = section if isinstance(section, Mapping) else {}
        if own.get("name", base.model.name) not in BASELINES:
            for key, values, word in (
                ("attention", attention, "+"),
                ("representation", representations, "on"),
            ):
                if values is not None and key not in own:
                    rows = [_with(row, key, v, word, values) for row in rows for v in values]
        found += rows
    return found


def _with(row: Contender, key: str, value: Any, word: str, values: Sequence[Any]) -> Contender:
    plain = value is None or value == "raw"
    name = row.name if plain else f"{row.name} {word} {_label(value, values)}"
    override = deepcopy(dict(row.override))
    override["model"] = {**override.get("model", {}), key: value}
    return Contender(name, override)


def _label(value: Any, values: Sequence[Any]) -> str:
    """Name a value of an axis; with its options where the name alone is not enough."""
    short = _names(value)
    if [_names(other) for other in values].count(short) == 1:
        return short
    items = value if isinstance(value, list) else [value]
    return ", ".join(f"{_names(item)} {_options(item)}".strip() for item in items)


def _names(value: Any) -> str:
    items = value if isinstance(value, list) else [value]
    return ", ".join(
        str(item.get("name", "?") if isinstance(item, Mapping) else item) for item in items
    )


def _options(item: Any) -> str:
    options = {k: v for k, v in item.items() if k != "name"} if isinstance(item, Mapping) else {}
    return json.dumps(options, ensure_ascii=False).replace('"', "") if options else ""
