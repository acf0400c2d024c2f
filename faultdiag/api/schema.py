"""JSON schemas: of a config with the options of its components, and of what ``--json`` prints.

A new field keeps the version; the version rises when a field goes or gets another type.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from faultdiag import attention, models, representations
from faultdiag.baselines import BASELINES
from faultdiag.config.schema import Config
from faultdiag.datasets import DATASETS
from faultdiag.documents import Document, Json
from faultdiag.errors import unknown
from faultdiag.evidence.trend import INDICATORS
from faultdiag.prediction.rows import COLUMNS, EVIDENCE_COLUMNS
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


VERSION = 1

Schema = Json

_TEXT: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer"}
_NUMBER: Schema = {"type": "number"}
_YES_NO: Schema = {"type": "boolean"}
_SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_HZ: Schema = {"type": "number", "exclusiveMinimum": 0}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _by_name(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


def _object(required: Mapping[str, Schema], **optional: Schema) -> Schema:
    properties = {**required, **optional}
    return {"type": "object", "required": list(required), "properties": properties}


_INTERVAL = _or_null({**_list(_SHARE), "minItems": 2, "maxItems": 2})
_ORDERS = _object(dict.fromkeys(("bpfo", "bpfi", "bsf", "ftf"), _NUMBER))
_CONFUSION = _object({"labels": _list(_TEXT), "matrix": _list(_list(_WHOLE))})
_RATE_CHECK = _object(
    {
        "verdict": {"enum": ["consistent", "contradicted", "undecided"]},
        "suggested": _or_null(_HZ),
        "reason": _TEXT,
    }
)
# An undefined score is null, such as the false alarms of a part without healthy windows.
_SCORES = {
    **dict.fromkeys(("accuracy", "balanced_accuracy", "macro_f1"), _or_null(_SHARE)),
    **dict.fromkeys(("false_alarm_rate", "missed_alarm_rate", "ece"), _or_null(_SHARE)),
    "accuracy_interval": _INTERVAL,
    "per_class": _by_name(_by_name(_or_null(_NUMBER))),
    "confusion": _CONFUSION,
}
_RECORDING_ROW = _object(
    {
        **dict.fromkeys(("recording", "label", "predicted"), _TEXT),
        **dict.fromkeys(("confidence", "agreement"), _SHARE),
        "windows": _WHOLE,
    }
)
_PART = {
    **_SCORES,
    **dict.fromkeys(("windows", "recordings", "healthy_windows"), _WHOLE),
    "recording_accuracy": _or_null(_SHARE),
    "temperature": _NUMBER,
    "recording": _object({**_SCORES, "rows": _list(_RECORDING_ROW)}),
}
_SPLIT = _object(
    {
        "strategy": _TEXT,
        "shared_samples": _WHOLE,
        "leaking_test_windows": _SHARE,
        "valid_test_overlap": _or_null(_SHARE),
        "disjoint_windows": _by_name(_WHOLE),
        "notes": _list(_TEXT),
    },
    leak=_TEXT,
)
_NOISE = _object({"kind": _TEXT, "snr": _NUMBER, **_PART})
_EVAL = {
    **_object({"split": _SPLIT}, noise=_list(_NOISE)),
    # The part that was asked for.
    "minProperties": 2,
    "additionalProperties": _object(_PART),
}

_COLUMN_TYPES: Mapping[str, Schema] = {
    "path": _TEXT,
    "status": {"enum": ["ok", "novel", "error"]},
    **dict.fromkeys(("confidence", "agreement"), _or_null(_SHARE)),
    "windows": _or_null(_WHOLE),
    "sampling_rate": _or_null(_HZ),
    "novelty": _or_null(_NUMBER),
    "signature": {"enum": ["yes", "no", None]},
}
_PREDICT: Schema = {
    **_object({name: _COLUMN_TYPES.get(name, _or_null(_TEXT)) for name in COLUMNS}),
    # With --evidence.
    "patternProperties": {
        f"^({'|'.join(EVIDENCE_COLUMNS)})$": {"type": ["number", "string", "null"]}
    },
    # The probability of each class.
    "additionalProperties": _or_null(_SHARE),
}

_INSPECTED = _object(
    {
        "path": _TEXT,
        "variables": _list(_object({"name": _TEXT, "shape": _list(_WHOLE), "kind": _TEXT})),
        "channels": _list(_TEXT),
        "sampling_rate": _or_null(_HZ),
        "sampling_rate_source": _or_null(_TEXT),
        "rpm": _or_null(_NUMBER),
        "samples": _WHOLE,
        "statistics": _by_name(_by_name(_or_null(_NUMBER))),
        "rate_check": _RATE_CHECK,
        "envelope_peaks": _list({"type": "object"}),
        "warnings": _list(_TEXT),
    }
)
_NOT_INSPECTED = _object({"path": _TEXT, "error": _TEXT})

_MODEL = _object(
    {
        **dict.fromkeys(("name", "summary", "reference"), _TEXT),
        "kind": {"enum": ["network", "baseline"]},
        "options": {"type": "object"},
        **dict.fromkeys(("parameters", "multiply_adds", "classes"), _or_null(_WHOLE)),
    }
)
_BLOCK = _object(
    {
        **dict.fromkeys(("name", "summary", "reference"), _TEXT),
        "options": {"type": "object"},
        "parameters": _by_name(_WHOLE),  # by channels
        "multiply_adds": _WHOLE,
    }
)
_BEARING = _object(
    {
        **dict.fromkeys(("name", "type", "source"), _TEXT),
        **dict.fromkeys(("maker", "note"), _or_null(_TEXT)),
        "balls": _WHOLE,
        "geometry": _or_null({"type": "object"}),
        "orders": _ORDERS,
        "approximate": _YES_NO,
    }
)

_ALARM = _object({**dict.fromkeys(("first", "persistent"), _or_null(_WHOLE)), "above": _SHARE})
_BASELINE = _object(dict.fromkeys(("mean", "sd", "limit"), _NUMBER))
_INDICATOR = _object(
    {
        "name": _TEXT,
        "values": _list(_or_null(_NUMBER)),
        "baseline": _or_null(_BASELINE),
        "alarm": _or_null(_ALARM),
    }
)
_MEASURED = _object({"path": _TEXT, "time": _or_null(_TEXT), "values": _by_name(_or_null(_NUMBER))})
_TREND = _object(
    {
        "recordings": _list(_MEASURED),
        "ordered_by": _TEXT,
        "indicators": _object(dict.fromkeys(INDICATORS, _INDICATOR)),
        "healthy": _list(_TEXT),
        "assumed": _YES_NO,
        "sigmas": _NUMBER,
        "persistence": _WHOLE,
    }
)

_EXPLAIN = _object(
    {
        **dict.fromkeys(("path", "label", "channel"), _TEXT),
        **dict.fromkeys(("confidence", "agreement"), _SHARE),
        "windows": _WHOLE,
        "probabilities": _by_name(_SHARE),
        "novelty": _or_null(_NUMBER),
        "sampling_rate": _HZ,
        "rpm": _or_null(_NUMBER),
        "evidence": _or_null({"type": "object"}),
        "explanation": _object(
            {
                "label": _TEXT,
                "windows": _WHOLE,
                "bands": _or_null(
                    _object({"edges": _list(_NUMBER), "drops": _list(_NUMBER), "fill": _TEXT})
                ),
                "time": _or_null({"type": "object"}),
                "gates": _list({"type": "object"}),
                "missing": _list(_TEXT),
            }
        ),
        **dict.fromkeys(("warnings", "missing"), _list(_TEXT)),
    }
)

_MEAN = _or_null(_object({"mean": _or_null(_NUMBER), "sd": _or_null(_NUMBER)}))
_PROTOCOL_ROW = _object(
    {
        **dict.fromkeys(("protocol", "model"), _TEXT),
        "snr": _or_null(_NUMBER),
        **dict.fromkeys(("accuracy", "macro_f1"), _MEAN),
        **dict.fromkeys(("cells", "cells_planned"), _WHOLE),
    }
)
_PROTOCOL = _object(
    {
        **dict.fromkeys(("title", "date"), _TEXT),
        "seeds": _list(_WHOLE),
        "models": _list(_TEXT),
        "protocols": _by_name({"type": "object"}),
        "rows": _list(_PROTOCOL_ROW),
        **dict.fromkeys(("comparisons", "cells", "failures"), _list({"type": "object"})),
        "notes": _list(_TEXT),
    }
)
_EXPORT = _object(
    {
        "files": _list(_TEXT),
        **dict.fromkeys(("opset", "difference"), _or_null(_NUMBER)),
        "int8": _or_null({"type": "object"}),
    }
)
_FETCHED_FILE = _object(
    {
        **dict.fromkeys(("file", "title"), _TEXT),
        "status": {"enum": ["present", "fetched", "failed"]},
        "received": _WHOLE,
        **dict.fromkeys(("path", "error"), _or_null(_TEXT)),
    }
)
_FETCH = _object(
    {
        **dict.fromkeys(("dataset", "folder", "licence", "citation"), _TEXT),
        "files": _list(_FETCHED_FILE),
    }
)
_BUNDLED = _object(
    {
        **dict.fromkeys(("name", "summary", "checkpoint", "card"), _TEXT),
        **dict.fromkeys(("classes", "limits"), _list(_TEXT)),
        "seconds": _NUMBER,
        "bytes": _WHOLE,
    }
)
_ADAPT = _object({"test": _or_null({"type": "object"}), "transfer": {"type": "object"}})

OUTPUTS: Mapping[str, tuple[str, Schema]] = {
    "adapt": ("metrics of the adapted run", _ADAPT),
    "attention": ("all blocks", _list(_BLOCK)),
    "bearings": ("all bearings, or the one that is named", {"anyOf": [_list(_BEARING), _BEARING]}),
    "eval": ("the scores of a part", _EVAL),
    "explain": ("what the network looked at in a recording", _EXPLAIN),
    "export": ("the files that were written", _EXPORT),
    "fetch": ("the files of a dataset", _FETCH),
    "inspect": ("all recordings", _list({"anyOf": [_INSPECTED, _NOT_INSPECTED]})),
    "models": (
        "all networks and baselines, or with --bundled all models in the box",
        {"anyOf": [_list(_MODEL), _list(_BUNDLED)]},
    ),
    "predict": ("one line, of one recording", _PREDICT),
    "protocol": ("results.json of the folder, too", _PROTOCOL),
    "trend": ("the indicators of a machine over time", _TREND),
}
"""For each command what its document is, and the schema of it."""


def output_schema(command: str) -> Schema:
    """Return the JSON schema of what a command prints with ``--json``.

    Raises
    ------
    FaultdiagError
        If it has no ``--json``.
    """
    if command not in OUTPUTS:
        raise unknown("command with --json", command, tuple(OUTPUTS))
    meaning, schema = OUTPUTS[command]
    title = f"faultdiag {command} --json: {meaning}"
    names = {"$schema": DIALECT, "$id": f"urn:faultdiag:{command}:{VERSION}", "title": title}
    return {**names, "version": VERSION, **schema}
