"""Facts of files: from their names, their bytes, their data set, and of the bearing they state."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from string import Formatter

import numpy as np

from faultdiag.errors import FaultdiagError, unknown
from faultdiag.readers.base import Variable
from faultdiag.readers.mat import open_arrays
from faultdiag.readers.read import READERS, SUFFIXES
from faultdiag.readers.source import reading
from faultdiag.signal.bearings import FaultOrders, StatedBearing

# Possessive where a neighbour could take over half of a number or a word.
CONVERTERS = {
    "": r"[^/_\-\s]+?",
    "alpha": r"[^\W\d_]++",
    "int": r"[-+]?[0-9]++",
    "float": r"[-+]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)",
    "word": r"\w+?",
    "any": r"[^/]+?",
}
# Fields of these end by themselves; two others need text between them.
_BOUNDED = frozenset({"alpha", "int", "float"})
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")
_BROKEN = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+")
_WRITE = "write fields in braces, as in '{fault}_{rpm}' or '{fault:alpha}{size}_{rpm}'"


class FilePattern:
    r"""A file-name pattern such as ``{fault:alpha}{size}_{rpm}.mat``.

    Text outside braces stands for itself. A field takes text without ``/``, ``_``, ``-`` and
    spaces; a converter behind a colon makes that narrower or wider: ``alpha`` letters, ``int``
    and ``float`` numbers, ``word`` letters, digits and ``_``, ``any`` everything but ``/``.
    What is a number becomes one, except with leading zeros: ``007`` stays text (with ``int``
    and ``float`` it is a number all the same). A pattern is held against the file's name; one
    with a ``/`` against the folders too, as many as it names. The suffix may be left out.

    Parameters
    ----------
    text
        The pattern.

    Raises
    ------
    FaultdiagError
        If it has no field, a field without a name or twice, an unknown converter, two
        fields that nothing tells apart, or a brace too many.

    Examples
    --------
    >>> FilePattern("{fault:alpha}{size}_{rpm}").facts("rig 1/IR007_1797.mat")
    {'fault': 'IR', 'size': '007', 'rpm': 1797}
    >>> FilePattern("{machine}/{fault}_{rpm}.mat").facts("other/IR.mat")
    >>> FilePattern("{label}/{file:any}").facts("rig/inner/day 1_2.mat")
    {'label': 'inner', 'file': 'day 1_2'}
    """

    def __init__(self, text: str) -> None:
        self.text = text
        parts = _parse(text)
        self.fields = {name: converter for _, name, converter in parts if name}
        self._depth = text.count("/") + 1
        suffix = PurePosixPath(text).suffix.lower()
        ending = "" if suffix in SUFFIXES else f"(?:{'|'.join(map(re.escape, READERS))})"
        ending = ending and rf"{ending}(?:\.gz)?"
        pieces = (
            re.escape(literal) + (f"(?P<{name}>{CONVERTERS[converter]})" if name else "")
            for literal, name, converter in parts
        )
        text_of_parts = "".join(pieces)
        self._regex = re.compile(text_of_parts + f"(?i:{ending})")
        self._whole = re.compile(text_of_parts)

    def facts(self, path: str) -> dict[str, object] | None:
        """Return the facts in a path relative to the folder, or None if it doesn't fit."""
        place = "/".join(path.split("/")[-self._depth :])
        match = self._regex.fullmatch(place)
        suffixes = {suffix.lower() for suffix in PurePosixPath(place).suffixes}
        if match is None and suffixes.isdisjoint(SUFFIXES):
            # Recorders leave the suffix out, or end names in a number or a time.
            match = self._whole.fullmatch(place)
        if match is None:
            return None
        return {name: _value(match[name], converter) for name, converter in self.fields.items()}

    def __str__(self) -> str:
        """Return the pattern as it was written."""
        return self.text


def first_fit(patterns: Sequence[FilePattern], path: str) -> dict[str, object] | None:
    """Return the facts by the first pattern that a path fits, those of the others being None."""
    fit = next((facts for p in patterns if (facts := p.facts(path)) is not None), None)
    if fit is None:
        return None
    return {name: fit.get(name) for pattern in patterns for name in pattern.fields}


def number_or_text(text: str) -> int | float | str:
    """Return a number for text that is one, the text itself where it has leading zeros.

    Examples
    --------
    >>> [number_or_text(text) for text in ("900", "0.5", "-3", "007", "1e3", "nan", "IR")]
    [900, 0.5, -3, '007', '1e3', 'nan', 'IR']
    """
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _BROKEN.fullmatch(text) else text


def _value(text: str, converter: str) -> int | float | str:
    if converter == "int":
        return int(text)
    if converter == "float":
        return float(text)
    return text if converter == "alpha" else number_or_text(text)


def _parse(text: str) -> list[tuple[str, str, str]]:
    """Return (literal, field, converter) in order; a literal at the end has no field."""
    try:
        parsed = list(Formatter().parse(text))
    except ValueError as error:
        raise FaultdiagError(f"{text!r} can't be read ({error}); {_WRITE}") from error
    for literal, name, _, conversion in parsed:
        if name is not None:
            _require_plain(text, name, conversion)
        if "\\" in literal:
            raise FaultdiagError(f"{text!r} has a backslash; write '/' between folders")
    parts = [(literal, name or "", spec or "") for literal, name, spec, _ in parsed]
    _require_fields(text, parts)
    return parts


def _require_plain(text: str, name: str, conversion: str | None) -> None:
    """Refuse a field that is more than a name."""
    if conversion or not name.isidentifier():
        shown = f"{{{name}{'!' + conversion if conversion else ''}}}"
        raise FaultdiagError(
            f"{text!r} has the field {shown}; a field's name is letters, digits and '_', "
            "and a letter comes first"
        )


def _require_fields(text: str, parts: Iterable[tuple[str, str, str]]) -> None:
    seen: dict[str, str] = {}
    previous = ""
    for literal, name, converter in parts:
        if not name:
            continue
        if converter not in CONVERTERS:
            problem = unknown("converter", converter, filter(None, CONVERTERS))
            raise FaultdiagError(f"{text!r}, field '{name}': {problem}")
        if name in seen:
            raise FaultdiagError(f"{text!r} has the field '{name}' twice; give each its own name")
        if previous and not literal and _unbounded(seen[previous], converter):
            raise FaultdiagError(
                f"{text!r}: nothing tells where '{previous}' ends and '{name}' begins; give one "
                "of them a converter, such as {fault:alpha}{size}"
            )
        seen[name] = converter
        previous = name
    if not seen:
        raise FaultdiagError(f"{text!r} has no field; {_WRITE}")


def _unbounded(first: str, second: str) -> bool:
    return first == second or not {first, second} & _BOUNDED


_NAMES = ("bpfo", "bpfi", "bsf", "ftf")
# BPFO and BPFI add up to the number of balls, to the digits that files state.
_NEAR = 0.05
_BALLS = range(3, 100)


def stated_bearing(
    path: Path, variables: Iterable[Variable], rpm: float | None
) -> StatedBearing | None:
    """Return the fault orders from a MAT-file's scalars BPFO, BPFI, BSF and FTF, or None.

    They are taken for Hz at the shaft speed, or else for orders: whichever makes
    ``BPFO + BPFI`` a whole number of balls times the shaft rate.

    Parameters
    ----------
    path
        The file.
    variables
        What it holds; nothing is read unless all four are among them.
    rpm
        Its shaft speed.
    """
    scalars = {v.name.lower(): v.name for v in variables if set(v.shape) <= {1}}
    if path.suffix.lower() != ".mat" or not set(_NAMES) <= scalars.keys():
        return None
    values = _values(path, [scalars[name] for name in _NAMES])
    orders = None if values is None else _orders(values, rpm)
    return None if orders is None else StatedBearing("stated by the file", orders)


def _orders(values: list[float], rpm: float | None) -> FaultOrders | None:
    """Return the orders of values in Hz, else of orders, that make a whole number of balls."""
    for shaft in (*([rpm / 60] if rpm else []), 1.0):
        orders = FaultOrders(*(value / shaft for value in values))
        balls = orders.bpfo + orders.bpfi
        if round(balls) in _BALLS and abs(balls - round(balls)) < _NEAR:
            return orders
    return None


def cage_warning(bearing: StatedBearing) -> str | None:
    """Return why the stated rate of the cage can't be that of a bearing with a fixed outer ring."""
    orders = bearing.orders
    if orders.ftf < 0.5:
        return None
    cage = orders.bpfo / round(orders.bpfo + orders.bpfi)
    return (
        f"the file states an FTF of {orders.ftf:.3f} × shaft; with the outer ring fixed it is "
        f"BPFO / balls = {cage:.3f}, and {1 - cage:.3f} as seen from the shaft"
    )


def _values(path: Path, names: list[str]) -> list[float] | None:
    try:
        arrays = open_arrays(path)
    except FaultdiagError:
        return None  # MATLAB 7.3
    if not all(arrays[name].real for name in names):
        return None
    with reading(path):
        values = [arrays[name].scalar() for name in names]
    return values if all(0 < value < np.inf for value in values) else None
