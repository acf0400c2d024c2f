"""Reports as one HTML file, as Markdown, or as JSON.

Templates escape everything they are given; what makes markup says so with `Markup`. The HTML has
no script and asks for nothing from outside: style sheet and charts are inside.
"""

import json
import math
import unicodedata
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import numpy as np

from faultdiag.errors import printable_lines
from faultdiag.report import charts

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
_CONTROL = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def visible(text: object) -> str:
    r"""Return text with characters that have no shape of their own written as escapes.

    Names of files may hold line breaks, terminal escapes or marks that turn the reading
    direction; on a page they are shown, not obeyed.

    Examples
    --------
    >>> visible("a\x1b[31mb\u202ec")
    'a\\x1b[31mb\\u202ec'
    """
    return "".join(
        letter.encode("unicode_escape").decode("ascii")
        if unicodedata.category(letter) in _CONTROL
        else letter
        for letter in str(text)
    )


def html(template: str, **context: object) -> str:
    """Render a template of this package to a whole HTML file."""
    return printable_lines(_environment().get_template(f"{template}.html.j2").render(**context))


def markdown(template: str, **context: object) -> str:
    """Render a template of this package to Markdown."""
    return printable_lines(_environment().get_template(f"{template}.md.j2").render(**context))


def to_json(report: object) -> str:
    """Return a report's dataclasses as JSON; arrays as lists, what is not finite as null."""
    return json.dumps(plain(report), indent=2, ensure_ascii=False, allow_nan=False)


def plain(value: object) -> object:
    """Return a value as what JSON knows."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return _scalar(value)


def _scalar(value: object) -> object:
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Enum):
        return value.name.lower()
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return str(value) if isinstance(value, PurePath) else value


@lru_cache(maxsize=1)
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=lambda name: name is None or not name.endswith((".css.j2", ".md.j2")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "visible": visible,
        "number": number,
        "percent": percent,
        "cell": cell,
        "lines": lines,
    }
    environment.globals |= {
        "light": charts.LIGHT,
        "dark": charts.DARK,
        "dashes": charts.DASHES,
        "fault_names": charts.FAULT_NAMES,
    }
    return environment


def number(value: float | None, form: str = ".3g") -> str:
    """Return a number as text; a dash where there is none.

    Examples
    --------
    >>> number(0.12345), number(None), number(1797.0, "g")
    ('0.123', '–', '1797')
    """
    return "–" if value is None or not math.isfinite(value) else format(value, form)


def percent(share: float | None, decimals: int = 1) -> str:
    """Return a share in percent; no 100 % of what is not all, and no 0 % of what is not none.

    Examples
    --------
    >>> percent(1.0), percent(0.9999), percent(0.5), percent(0.0001), percent(None)
    ('100 %', '> 99.9 %', '50.0 %', '< 0.1 %', '–')
    """
    if share is None or not math.isfinite(share):
        return "–"
    least = 10.0**-decimals
    if share in {0.0, 1.0}:
        return f"{100 * share:.0f} %"
    if 100 * share < least:
        return f"< {least:g} %"
    if 100 * (1 - share) < least:
        return f"> {100 - least:g} %"
    return f"{100 * share:.{decimals}f} %"


def lines(text: str) -> str:
    """Return text of several lines: visible, its line breaks kept, no code fence closed in it."""
    return "\n".join(visible(line) for line in text.splitlines()).replace("```", "` ` `")


def cell(text: object) -> str:
    """Return text for a cell of a Markdown table: visible, its marks of Markdown escaped."""
    shown = visible(text)
    return "".join(f"\\{c}" if c in "\\|`*_[]<>#" else c for c in shown)
