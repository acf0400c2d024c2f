"""Selecting rows of facts by the values they may take."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from faultdiag.datasets.base import Entry
from faultdiag.documents import Document
from faultdiag.errors import FaultdiagError, did_you_mean, unknown

Facts: TypeAlias = Document

_MOST_SHOWN = 12


def values_of(rows: Sequence[Facts]) -> dict[str, tuple[object, ...]]:
    """Return each fact with the values it takes in these rows, None first, then in order.

    Examples
    --------
    >>> values_of([{"size": "014"}, {"size": None}, {"size": "007"}, {"size": "014"}])
    {'size': (None, '007', '014')}
    """
    names = dict.fromkeys(name for row in rows for name in row)
    values_by_name = {name: {row.get(name) for row in rows} for name in names}
    return {name: tuple(sorted(values, key=_order)) for name, values in values_by_name.items()}


def choose(rows: Sequence[Facts], select: Mapping[str, Sequence[object]]) -> list[Facts]:
    """Return the rows whose facts have one of the allowed values, for every fact in `select`.

    None is the value of a row that lacks the fact. ``"3"`` is taken for 3 and 6205 for
    ``"6205"``, but 7 not for ``"007"``: YAML reads an unquoted 007 as a number.

    Raises
    ------
    FaultdiagError
        If a fact or a value is unknown, all of them reported at once, or if nothing is left.

    Examples
    --------
    >>> rows = [{"number": 97, "size": None}, {"number": 105, "size": "007"}]
    >>> choose(rows, {"size": ["007", "014"]})
    Traceback (most recent call last):
    ...
    faultdiag.errors.FaultdiagError: select.size: no recording has "014"; there are: null, "007"
    >>> choose(rows, {"size": ["007"]})
    [{'number': 105, 'size': '007'}]
    """
    known = values_of(rows)
    problems: list[str] = []
    allowed: dict[str, list[object]] = {}
    for name, values in select.items():
        if name in known:
            allowed[name] = _allowed(name, values, known[name], problems)
        else:
            problems.append(f"select.{name}: {unknown('fact', name, known)}")
    if problems:
        raise FaultdiagError("\n".join(problems))
    return _filtered(rows, allowed)


def select_entries(entries: Sequence[Entry], select: Mapping[str, Sequence[object]]) -> list[Entry]:
    """Return the entries whose facts have one of the allowed values; see `choose`.

    Raises
    ------
    FaultdiagError
        As `choose`.
    """
    chosen = {id(row) for row in choose([entry.facts for entry in entries], select)}
    return [entry for entry in entries if id(entry.facts) in chosen]


def _filtered(rows: Sequence[Facts], allowed: Mapping[str, Sequence[object]]) -> list[Facts]:
    left = list(rows)
    before: list[str] = []
    for name, values in allowed.items():
        kept = [row for row in left if row.get(name) in values]
        condition = f"{name} [{_shown(values)}]"
        if not kept:
            having = f" with {' and '.join(before)}" if before else ""
            raise FaultdiagError(
                f"select leaves no recording: of the {len(left)}{having} none has {condition}; "
                f"they have: {_shown(values_of(left).get(name, ()))}"
            )
        left = kept
        before.append(condition)
    return left


def _allowed(
    name: str, values: object, known: Sequence[object], problems: list[str]
) -> list[object]:
    given = list(values) if isinstance(values, Sequence) and not isinstance(values, str) else None
    matched = []
    for value in [values] if given is None else given:
        same = [k for k in known if _same(value, k)]
        matched += same
        if not same:
            problems.append(f"select.{name}: {_complaint(value, known)}")
    if given == []:
        problems.append(f"select.{name} is empty; name at least one of: {_shown(known)}")
    return matched


def match_value(value: object, known: Sequence[object]) -> object:
    """Return the known value that is meant, in the type it has there.

    Raises
    ------
    FaultdiagError
        If there is none; the message has the nearest, or all.

    Examples
    --------
    >>> match_value("3", [0, 1, 2, 3])
    3
    """
    for candidate in known:
        if _same(value, candidate):
            return candidate
    raise FaultdiagError(_complaint(value, known))


def _same(value: object, known: object) -> bool:
    if value is None or known is None or isinstance(value, bool) or isinstance(known, bool):
        return value is known
    if isinstance(value, str) != isinstance(known, str):
        return str(value) == str(known)
    return value == known


def _complaint(value: object, known: Sequence[object]) -> str:
    texts = [k for k in known if isinstance(k, str)]
    if isinstance(value, int):
        meant = [text for text in texts if value in _read_as(text)]
        if meant:
            quoted = " or ".join(f'"{text}"' for text in meant)
            return f"{value} is a number and the values are text; write {quoted} in quotes"
    near = did_you_mean(value, texts) if isinstance(value, str) else ""
    return f"no recording has {_shown([value])}{near}; there are: {_shown(known)}"


def _read_as(text: str) -> set[int]:
    """Return the numbers that YAML makes of an unquoted text: 021 is 21, in YAML 1.1 octal 17."""
    numbers = {int(text)} if text.isdecimal() else set()
    if text.isdecimal() and text.startswith("0") and not set(text) & set("89"):
        numbers.add(int(text, 8))
    return numbers


def _shown(values: Sequence[object]) -> str:
    words = ["null" if v is None else f'"{v}"' if isinstance(v, str) else str(v) for v in values]
    return ", ".join(words[:_MOST_SHOWN]) + (", …" if len(words) > _MOST_SHOWN else "")


def _order(value: object) -> tuple[int, float, str]:
    if value is None:
        return (0, 0.0, "")
    return (1, float(value), "") if isinstance(value, int | float) else (2, 0.0, str(value))
