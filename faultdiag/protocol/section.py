"""The section ``protocol`` of a config: the axes of a comparison, and what is wrong with them."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeGuard, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from faultdiag.config.schema import PROTOCOL
from faultdiag.documents import Document, Json
from faultdiag.errors import did_you_mean, unknown
from faultdiag.signal.noise import KINDS

NOISE = (-4.0, -2.0, 0.0, 2.0, 4.0, 6.0, 8.0, 10.0)  # dB

Item = TypeVar("Item")

# What an override may change: a model says with what is diagnosed, a protocol on what.
OF_A_MODEL = ("model", "window", "normalize", "train", "data.channels", "data.sampling_rate")
OF_A_PROTOCOL = ("data", "window", "split", "normalize", "train", "transfer", "models")


def _whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: object) -> TypeGuard[float]:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return math.isfinite(value)


def _distinct(values: Sequence[object]) -> bool:
    return all(value not in values[:i] for i, value in enumerate(values))


def _seeds(value: object) -> object:
    if _whole(value) and value >= 1:
        return value
    if isinstance(value, list) and value and all(_whole(v) and v >= 0 for v in value):
        if _distinct(value):
            return value
        raise ValueError(f"found {value}; name each seed only once")
    raise ValueError(
        f"found {value!r}; write how many, such as 5, or a list of whole numbers such as [0, 1, 2]"
    )


def _overrides(example: str) -> BeforeValidator:
    """Check names with what each changes of the config; nothing is written as nothing."""

    def check(value: object) -> object:
        if not isinstance(value, Mapping) or not value:
            raise ValueError(
                f"found {value!r}; write names with what each changes, such as {example}"
            )
        made = {name: {} if change is None else change for name, change in value.items()}
        strange = [name for name, change in made.items() if not isinstance(change, Mapping)]
        if strange:
            raise ValueError(
                f"{strange[0]} is {made[strange[0]]!r}; write what it changes of the config, such "
                f"as {example}"
            )
        if not all(name.strip() for name in made):
            raise ValueError("found a name that is empty; it is what the table calls the row")
        return made

    return BeforeValidator(check)


def _protocols(value: object) -> object:
    """Check the rows that each protocol names under ``models``."""
    for name, change in value.items() if isinstance(value, Mapping) else ():
        rows = change.get("models") if isinstance(change, Mapping) else None
        if rows is not None and not (rows and _strings(rows)):
            raise ValueError(
                f"{name}.models is {rows!r}; write a list of rows of the table, such as [WDCNN], "
                "or leave it out for all"
            )
    return value


def _strings(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _attention(value: object) -> object:
    items = _items(value)
    slots = [slot for item in items for slot in (item if isinstance(item, list) else [item])]
    if all(slot is None or isinstance(slot, Mapping) for slot in slots) and slots:
        return _once(items)
    raise ValueError(
        f"found {value!r}; write a list of slots, null for none, such as "
        "[null, {name: eca, after: [2], residual: true}]"
    )


def _representations(value: object) -> object:
    items = _items(value)
    if items and all(isinstance(item, str | Mapping) for item in items):
        return _once(items)
    raise ValueError(f"found {value!r}; write a list, such as [raw, envelope_spectrum]")


def _transfer(value: object) -> object:
    items = _items(value)
    named = [item.get("method") if isinstance(item, Mapping) else item for item in items]
    if items and all(isinstance(name, str) for name in named):
        return _once(items)
    raise ValueError(
        f"found {value!r}; write a list of methods, such as [none, mk_mmd, {{method: dann, "
        "weight: 0.5}]"
    )


def _noise(value: object) -> object:
    levels = [] if value is None else value
    if isinstance(levels, list) and all(_number(level) for level in levels):
        return [float(level) for level in _once(levels)]
    raise ValueError(f"found {value!r}; write levels in dB, such as [-4, 0, 4], or null for none")


def _kinds(value: object) -> object:
    if not _strings(value) or not value:
        raise ValueError(f"found {value!r}; write a list of kinds, such as [white, pink]")
    for kind in value:
        if kind not in KINDS:
            raise ValueError(str(unknown("noise", kind, KINDS)))
    return _once(value)


def _names(value: object) -> object:
    if _strings(value):
        return _once(value)
    raise ValueError(f"found {value!r}; write a list of names, such as [loads]")


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _once(value: list[Item]) -> list[Item]:
    if not _distinct(value):
        raise ValueError(f"found {value!r}; name each only once")
    return value


_MODELS = _overrides("{WDCNN: {model: {name: wdcnn}}}")
_PROTOCOLS = _overrides("{loads: {split: {strategy: across_loads, folds: pairs}}}")


class Section(BaseModel):
    """The comparison to make; a setting of None is chosen from the config and its recordings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seeds: Annotated[int | list[int], BeforeValidator(_seeds)] = 5
    models: Annotated[dict[str, Json] | None, _MODELS] = None
    attention: Annotated[list[Any] | None, BeforeValidator(_attention)] = None
    representations: Annotated[list[Any] | None, BeforeValidator(_representations)] = None
    transfer: Annotated[list[Any] | None, BeforeValidator(_transfer)] = None
    protocols: Annotated[dict[str, Json] | None, _PROTOCOLS, BeforeValidator(_protocols)] = None
    noise: Annotated[list[float], BeforeValidator(_noise)] = list(NOISE)
    noise_kinds: Annotated[list[str], BeforeValidator(_kinds)] = ["white"]
    noise_on: Annotated[list[str] | None, BeforeValidator(_names)] = None
    only: Annotated[list[str] | None, BeforeValidator(_names)] = None
    reference: str | None = None

    def seeds_from(self, first: int, count: int | None = None) -> list[int]:
        """Return the seeds: a number of them, here or in the section, counts up from `first`."""
        chosen = self.seeds if count is None else count
        return chosen if isinstance(chosen, list) else list(range(first, first + chosen))


def read_section(data: object) -> tuple[Section | None, list[str]]:
    """Return the section as an object, or None and every problem by its dotted path."""
    if data is None:
        data = {}
    if not isinstance(data, Mapping):
        keys = ", ".join(Section.model_fields)
        return None, [f"{PROTOCOL} is {data!r}; write a mapping with some of: {keys}"]
    try:
        section = Section.model_validate(dict(data))
    except ValidationError as error:
        return None, [_problem(dict(problem)) for problem in error.errors()]
    problems = [
        *_strange("models", section.models, OF_A_MODEL),
        *_strange("protocols", section.protocols, OF_A_PROTOCOL),
    ]
    return (None, problems) if problems else (section, [])


def _problem(problem: Json) -> str:
    key = str(problem["loc"][0])
    if problem["type"] == "extra_forbidden":
        known = list(Section.model_fields)
        return f"{PROTOCOL}.{key}: unknown key{did_you_mean(key, known)}; known: {', '.join(known)}"
    reason = str(problem["ctx"]["error"]) if "ctx" in problem else problem["msg"]
    return f"{PROTOCOL}.{key}: {reason}"


def _strange(
    kind: str, overrides: Mapping[str, Document] | None, allowed: Sequence[str]
) -> list[str]:
    """Find what an override may not change, because rows could then not be compared."""
    problems = []
    for name, override in (overrides or {}).items():
        for key in _changed(override, allowed):
            if key not in allowed:
                problems.append(
                    f"{PROTOCOL}.{kind}.{name}.{key}: one of the {kind} can't change that"
                    f"{did_you_mean(key, allowed)}; it can change: {', '.join(allowed)}"
                )
    return problems


def _changed(override: Document, allowed: Sequence[str]) -> list[str]:
    """Return the keys that an override changes; sections allowed in part are split up."""
    parted = {key.partition(".")[0] for key in allowed if "." in key}
    keys = []
    for key, value in override.items():
        parts = key in parted and isinstance(value, Mapping)
        keys += [f"{key}.{inner}" for inner in value] if parts else [key]
    return keys
