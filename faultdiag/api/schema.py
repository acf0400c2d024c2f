"""The JSON schema of a config: its sections, and the options of every registered component."""

from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from faultdiag import attention, models, representations
from faultdiag.baselines import BASELINES
from faultdiag.config.schema import Config
from faultdiag.datasets import DATASETS
from faultdiag.documents import Document, Json
from faultdiag.signal.normalize import NORMALIZERS
from faultdiag.splits.within import STRATEGIES

if TYPE_CHECKING:
    from faultdiag.registry import Registry

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def config_schema() -> Json:
    """Return the JSON schema of a config, with the options that each component takes."""
    schema = Config.model_json_schema(by_alias=True)
    sections = schema["$defs"]
    _choose(sections["DataConfig"], "dataset", DATASETS)
    _choose(sections["SplitConfig"], "strategy", STRATEGIES)
    _choose(sections["ModelConfig"], "name", models.NETWORKS, BASELINES)
    properties = sections["ModelConfig"]["properties"]
    slot = _component(attention.BLOCKS, {"after": _AFTER, "residual": {"type": "boolean"}})
    properties["attention"] = {"anyOf": [slot, {"type": "array", "items": slot}, {"type": "null"}]}
    front = _component(representations.REPRESENTATIONS, {})
    names = {"enum": list(representations.REPRESENTATIONS)}
    properties["representation"] = {"anyOf": [names, front, {"type": "null"}]}
    schema["properties"]["normalize"] = {"enum": list(NORMALIZERS)}
    # The section of `faultdiag protocol`, which every other command ignores.
    schema["properties"]["protocol"] = {"type": "object"}
    return {"$schema": DIALECT, "title": "faultdiag config", **schema}


_AFTER = {
    "anyOf": [
        {"type": "integer", "minimum": 1},
        {"type": "array", "items": {"type": "integer", "minimum": 1}},
    ]
}


def _choose(section: Json, key: str, *registries: "Registry[Any]") -> None:
    """Limit a key to the registered names, and add the options of each name."""
    names = [name for registry in registries for name in registry]
    section["properties"][key] = {**section["properties"].get(key, {}), "enum": names}
    section["allOf"] = [
        {
            "if": {"properties": {key: {"const": name}}, "required": [key]},
            "then": {"properties": _options(registry, name)},
        }
        for registry in registries
        for name in registry
    ]


def _component(registry: "Registry[Any]", common: Document) -> Json:
    """Schema of a mapping ``{name, **options}``: one alternative for each name."""
    return {
        "oneOf": [
            {
                "type": "object",
                "properties": {"name": {"const": name}, **common, **_options(registry, name)},
                "required": ["name"],
                "additionalProperties": False,
            }
            for name in registry
        ]
    }


def _options(registry: "Registry[Any]", name: str) -> Json:
    return {key: _type(option.type) for key, option in registry.options(name).items()}


def _type(kind: Any) -> Json:
    """Schema of the type of an option; any value where the type has none."""
    if kind is Any:
        return {}
    return TypeAdapter(kind).json_schema()
