"""What pydantic finds wrong with a config, in the words of YAML."""

from collections.abc import Sequence
from typing import Any, cast

from pydantic import BaseModel

from faultdiag.config.sections import PROTOCOL
from faultdiag.errors import did_you_mean

# What pydantic calls a problem -> what would work, in the words of YAML.
_REMEDIES = {
    "tuple_type": "write a list, such as [DE]",
    "dict_type": "write a mapping, such as {{key: value}}",
    "model_type": "write a mapping, such as {{key: value}}",
    "string_type": "write text, in quotes if YAML takes it for something else",
    "path_type": "write a path, in quotes if YAML takes it for something else",
    "bool_type": "write true or false",
    "int_type": "write a whole number",
    "float_type": "write a number",
    "finite_number": "write a finite number",
    "too_short": "write at least {min_length}",
    "greater_than_equal": "it must be {ge:g} or more",
    "greater_than": "it must be above {gt:g}",
    "less_than": "it must be below {lt}",
    "less_than_equal": "it must be {le:g} or less",
    "literal_error": "use {expected}",
}


def problem_text(problem: dict[str, Any], config: type[BaseModel]) -> str:
    """Give a problem of a config as path, what was found and what would work."""
    place = [str(part) for part in problem["loc"]]
    path = ".".join(place)
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        known = [*_section(config, place[:-1]).model_fields, *([] if place[1:] else [PROTOCOL])]
        return f"{path}: unknown key{did_you_mean(place[-1], known)}; known: {', '.join(known)}"
    if kind == "missing":
        return f"{path} is missing; write at least window: {{length: 2048, stride: 128}}"
    if kind == "value_error":
        return f"{path}: {context['error']}"
    if kind == "string_type" and isinstance(problem["input"], dict):
        # What YAML makes of {code} without quotes.
        fields = "".join(f"{{{name}}}" for name in problem["input"])
        remedy = f'write text in quotes, as {path}: "{fields}" or --set \'{path}="{fields}"\''
        return f"{path} is {problem['input']!r}; {remedy}"
    return f"{path} is {problem['input']!r}; {_REMEDIES[kind].format(**context)}"


def _section(config: type[BaseModel], place: Sequence[str]) -> type[BaseModel]:
    section = config
    for key in place:
        section = cast("type[BaseModel]", section.model_fields[key].annotation)
    return section
