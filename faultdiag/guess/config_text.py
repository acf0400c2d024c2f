"""A config as YAML with a comment above each setting."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from faultdiag import yaml_file

_WIDTH = 98


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, and in a comment why it is what it is."""

    name: str
    value: Any
    comment: str = ""


def config_text(head: Sequence[str], sections: Mapping[str, Sequence[Setting]]) -> str:
    """Give YAML with the sections in order; the empty name holds what stands in none.

    Examples
    --------
    >>> print(config_text(["Mine."], {"window": [Setting("length", 64, "one turn")]}))
    # Mine.
    window:
      # one turn
      length: 64
    <BLANKLINE>
    """
    lines = [line for text in head for line in _comment(text, "")]
    for section, settings in sections.items():
        indent = "  " if section else ""
        lines += [f"{section}:"] if section else []
        for setting in settings:
            lines += _comment(setting.comment, indent)
            lines.append(f"{indent}{_pair(setting.name, setting.value)}")
    return "\n".join(lines) + "\n"


def _comment(text: str, indent: str) -> list[str]:
    # A file's name may hold anything; a comment ends with its line.
    plain = "".join(c if c.isprintable() else "?" for c in text)
    return textwrap.wrap(
        plain,
        _WIDTH,
        initial_indent=f"{indent}# ",
        subsequent_indent=f"{indent}# ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _pair(name: str, value: Any) -> str:
    return yaml_file.dump_flow({name: value}).strip().removeprefix("{").removesuffix("}")
