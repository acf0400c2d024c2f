"""Facts and labels in the names of files."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, count, pairwise
from pathlib import PurePosixPath

from faultdiag.guess.states import first_letters, is_healthy, is_state, part_of_split

# The clock position follows an @, as in CWRU's OR007@6.
_SEPARATORS = re.compile(r"([_\-\s@]+)")
_NUMBER = re.compile(r"([^\W\d_]*)([0-9]+(?:\.[0-9]+)?)([^\W\d_]*)")
# Text before or after a number -> the meaning of the number.
_UNITS = {
    **dict.fromkeys(("rpm", "upm", "umin", "rmin", "转"), "rpm"),
    "khz": "sampling_rate_khz",
    "hp": "load_hp",
    "lbs": "load_lbs",
    "n": "load_n",
    "kn": "load_kn",
    "nm": "torque_nm",
    "mm": "size_mm",
    **dict.fromkeys(("load", "last"), "load"),
    **{name: name for name in ("torque", "force", "level", "severity")},
}
_SPEED_SIGNS = frozenset({"", "n", "speed", "drehzahl", "转速"})
_SPEEDS = (100, 6000)
_RATES = (1000, 1_000_000)
_MOST_SHAPES = 6


@dataclass(frozen=True, slots=True)
class NamePatterns:
    """Patterns that files' names fit, the class that follows from them, and why.

    ``share`` is the part of the files whose class is a word for a bearing's state; ``states``
    are the letters that tell the classes.
    """

    patterns: list[str]
    label: str
    share: float
    states: set[str]
    reasons: list[str]
    classes: int


@dataclass(frozen=True)
class _Shape:
    """Files whose names have the same separators: their tokens, a column for each place."""

    separators: tuple[str, ...]
    columns: list[list[str]]
    place: int

    @property
    def states(self) -> list[str]:
        return self.columns[self.place]


def name_patterns(paths: Sequence[str]) -> NamePatterns | None:
    """Return the patterns of these files' names, or None if no part of them can be the class."""
    shapes = _shapes([PurePosixPath(path).stem for path in paths])
    if not shapes:
        return None
    states = [state for shape in shapes for state in shape.states]
    kind, reason = _kind_of_digits(states)
    reasons = [reason] if reason else []
    patterns = _all_patterns(shapes, kind, reasons)
    letters = set(map(first_letters, states))
    share = 0.0 if _by_chance(letters) else sum(map(is_state, states)) / len(paths)
    label, classes = ("{fault}{size}", set(states)) if kind == "size" else ("{fault}", letters)
    return NamePatterns(patterns, label, share, letters, list(dict.fromkeys(reasons)), len(classes))


def _by_chance(letters: Collection[str]) -> bool:
    """Return whether one letter among others is the only word for a state."""
    words = [word for word in letters if is_state(word)]
    return len(letters) > 1 and len(words) == 1 and len(words[0]) == 1


def _all_patterns(shapes: Sequence[_Shape], kind: str, reasons: list[str]) -> list[str]:
    """Return the patterns of all shapes, each once."""
    speeds = {text for shape in shapes for text in _speeds(shape)}
    patterns = (_patterns(shape, kind, reasons, speeds) for shape in shapes)
    # Those with more fields are narrower: the first that fits counts.
    return sorted(
        dict.fromkeys(chain.from_iterable(patterns)), key=lambda pattern: -pattern.count("{")
    )


def _shapes(stems: Sequence[str], *, labelled: bool = True) -> list[_Shape]:
    """Return the usual shapes of names; where no part is the class, its place is -1."""
    groups: dict[tuple[str, ...], list[list[str]]] = defaultdict(list)
    for stem in stems:
        parts = _SEPARATORS.split(stem)
        groups[(*parts[1::2], *_units_in(parts[::2]))].append(parts[::2])
    largest = sorted(groups.items(), key=lambda item: -len(item[1]))[:_MOST_SHAPES]
    shapes = []
    for key, rows in largest:
        separators = key[: len(rows[0]) - 1]
        columns = [list(column) for column in zip(*rows, strict=True)]
        place = _place(columns) if labelled else -1
        if place is not None and all(map(any, columns)):
            shapes.append(_Shape(separators, columns, place))
    return shapes


def _units_in(texts: Sequence[str]) -> list[str]:
    """Return the units behind numbers as they are written: rpm and RPM are two patterns."""
    units = [match[3] for text in texts if (match := _NUMBER.fullmatch(text))]
    return ["", *(unit for unit in units if unit.lower() in _UNITS)]


def _place(columns: Sequence[Sequence[str]]) -> int | None:
    """Return the place of the class: most words for a state, else the first letters that vary."""
    # Parts of a split are no classes.
    own = [[] if all(map(part_of_split, column)) else column for column in columns]
    shares = [sum(map(is_state, column)) for column in own]
    varying = [s if len(set(column)) > 1 else 0 for s, column in zip(shares, own, strict=True)]
    for counts in (varying, shares):
        if max(counts) > 0:
            return counts.index(max(counts))
    return next((i for i, column in enumerate(own) if _letters_vary(column)), None)


def _letters_vary(texts: Sequence[str]) -> bool:
    """Return whether all texts begin with letters, and not all with the same ones."""
    letters = set(map(first_letters, texts))
    return len(letters) > 1 and "" not in letters


def _kind_of_digits(states: Iterable[str]) -> tuple[str, str]:
    """Return the meaning of the digits after a state's letters, and why: speed, size or run."""
    behind: dict[str, set[str]] = defaultdict(set)
    for state in states:
        letters = first_letters(state)
        behind[letters].add(state.removeprefix(letters))
    digits = sorted(set().union(*behind.values()) - {""})
    if not digits:
        return "", ""
    shown = ", ".join(digits[:4])
    if _is_speed(digits, repeated=True):
        return "rpm", f"{shown} behind the letters look like shaft speeds in rpm"
    healthy = [endings for letters, endings in behind.items() if is_healthy(letters)]
    if set().union(*healthy) - {"", "0", "00", "000"}:
        return "run", f"{shown} behind the letters stand behind the healthy class too: no size"
    if not healthy and all(map(_counts_up, behind.values())):
        return "run", f"{shown} behind the letters count up in every class: repetitions, no size"
    return "size", f"{shown} behind the letters may be sizes: classes of their own"


def _counts_up(texts: Collection[str]) -> bool:
    numbers = sorted(int(text) for text in texts if text.isdecimal())
    return len(numbers) == len(texts) > 1 and numbers[0] in {0, 1} and numbers[-1] <= len(numbers)


def _speeds(shape: _Shape) -> set[str]:
    """Return the numbers that are shaft speeds, so that names of other shapes have them too."""
    others = {shape.place, *_dates(shape.columns)}
    columns = [c for i, c in enumerate(shape.columns) if i not in others and _is_speed(c)]
    return {text for column in columns for text in column}


def _dates(columns: Sequence[Sequence[str]]) -> set[int]:
    """Return the places of years, and of times behind a date: they are no shaft speeds."""
    facts = set()
    for i, (first, second) in enumerate(pairwise(columns)):
        if _all_fit(r"(19|20)\d\d", first) and _all_fit(r"0[1-9]|1[0-2]", second):
            facts.add(i)
        if _all_fit(r"(19|20)\d\d[01]\d[0-3]\d", first) and _all_fit(r"[0-2]\d[0-5]\d", second):
            facts.add(i + 1)
    return facts


def _all_fit(pattern: str, texts: Iterable[str]) -> bool:
    return all(re.fullmatch(pattern, text) for text in texts)


def _patterns(shape: _Shape, kind: str, reasons: list[str], speeds: Collection[str]) -> list[str]:
    """Return the shape's pattern; two where some of its classes have digits and some none."""
    pieces = _pieces(shape, reasons, speeds)
    endings = {state != first_letters(state) for state in shape.states}
    patterns = []
    for has_digits in sorted(endings, reverse=True):
        field = f"{{fault:alpha}}{{{kind}{':int' if kind == 'rpm' else ''}}}"
        pieces[shape.place] = field if has_digits else "{fault:alpha}"
        patterns.append(_joined(shape, pieces))
    return patterns


def _joined(shape: _Shape, pieces: Sequence[str]) -> str:
    separators = [literal(text) for text in shape.separators] + [""]
    return "".join(p + s for p, s in zip(pieces, separators, strict=True))


def _pieces(shape: _Shape, reasons: list[str], speeds: Collection[str]) -> list[str]:
    """Return the pattern of each place but that of the class."""
    used: Counter[str] = Counter()
    pieces = []
    for i, column in enumerate(shape.columns):
        if i == shape.place:
            pieces.append("")
            continue
        before, name, behind = _fact_at(i, shape, reasons, speeds)
        if not name:
            pieces.append(literal(column[0]))
            continue
        used[name] += 1
        numbered = name if used[name] == 1 else f"{name}_{used[name]}"
        converter = ":float" if before or behind else ""
        pieces.append(f"{literal(before)}{{{numbered}{converter}}}{literal(behind)}")
    return pieces


def _fact_at(
    place: int, shape: _Shape, reasons: list[str], speeds: Collection[str]
) -> tuple[str, str, str]:
    """Return the fact at a place as `_field` does, with regard to the places around it."""
    before, name, behind = _field(shape.columns[place], reasons, speeds)
    if place and "@" in shape.separators[place - 1]:
        name = "position"
    elif name == "rpm" and place in _dates(shape.columns):
        name = "number"
    return before, name, behind


def _field(
    column: Sequence[str], reasons: list[str], speeds: Collection[str]
) -> tuple[str, str, str]:
    """Return the text before a fact, its name, and the text behind; no name if it never varies."""
    parts = _split_numbers(column)
    if parts is None:
        return "", "" if len(set(column)) == 1 else "part", ""
    before, numbers, behind = parts
    name = _quantity(before, numbers, behind)
    if not name and not behind and before.lower() in _SPEED_SIGNS:
        name = _speed(numbers, reasons, speeds)
    # What is the same in several names is text; of one name nobody knows.
    if not name and len(numbers) > 1 and len(set(numbers)) == 1:
        return "", "", ""
    return before, name or "number", behind


def _quantity(before: str, numbers: Sequence[str], behind: str) -> str:
    """Return the quantity of numbers by the text around them; empty if that is no unit."""
    # N15 before a number is no force.
    unit = "" if before.lower() == "n" else _unit(before, numbers)
    return unit or _unit(behind, numbers)


def _split_numbers(column: Sequence[str]) -> tuple[str, list[str], str] | None:
    """Return the numbers of texts and what is around them; None where that is not the same."""
    matches = [match for text in column if (match := _NUMBER.fullmatch(text))]
    around = {(match[1], match[3]) for match in matches}
    if len(matches) < len(column) or len(around) > 1:
        return None
    ((before, behind),) = around
    return before, [match[2] for match in matches], behind


def _speed(numbers: Sequence[str], reasons: list[str], speeds: Collection[str]) -> str:
    """Return ``rpm`` for numbers that look like shaft speeds, with a reason, else nothing."""
    if not (set(numbers) <= set(speeds) or _is_speed(numbers)):
        return ""
    shown = ", ".join(sorted(set(numbers), key=float)[:4])
    reasons.append(f"{shown} look like shaft speeds in rpm; rename the field if they are not")
    return "rpm"


def _unit(text: str, numbers: Sequence[str]) -> str:
    if text.lower() == "hz":
        rates = all(_RATES[0] <= float(number) <= _RATES[1] for number in numbers)
        return "sampling_rate" if rates else "hz"
    return _UNITS.get(text.lower(), "")


def _is_speed(numbers: Sequence[str], *, repeated: bool = False) -> bool:
    """Return whether numbers look like speeds: of that size, and round or met again and again."""
    if not _all_fit(r"[1-9][0-9]*", numbers):
        return False
    values = [int(number) for number in numbers]
    # One number alone may be that of a file.
    if len(values) < 2 and not repeated:
        return False
    again = not repeated and len(set(values)) <= len(values) / 2
    return all(_SPEEDS[0] <= value <= _SPEEDS[1] for value in values) and (
        again or all(value % 10 == 0 for value in values)
    )


# Facts that names state beside a class: they are worth a pattern, running numbers are not.
_NO_FACTS = frozenset({"number", "part"})


def fact_patterns(paths: Sequence[str]) -> list[str]:
    """Return patterns of names that state facts, such as a speed, in files of known classes."""
    reasons: list[str] = []
    patterns: list[str] = []
    shapes = _shapes([PurePosixPath(path).stem for path in paths], labelled=False)
    speeds = {text for shape in shapes for text in _speeds(shape)}
    for shape in shapes:
        joined = _joined(shape, _pieces(shape, reasons, speeds))
        if set(re.findall(r"{(\w+?)(?:_\d+)?[:}]", joined)) - _NO_FACTS:
            patterns.append(joined)
    return sorted(set(patterns), key=lambda pattern: (-pattern.count("{"), pattern))


def is_condition(names: Sequence[str]) -> bool:
    """Return whether folders are named by a quantity, such as a shaft speed or a load."""
    return _field(names, [], ())[1] not in {"", *_NO_FACTS}


def folder_piece(column: Sequence[str], taken: str) -> str:
    """Return the pattern of a level of folders.

    Parameters
    ----------
    column
        The folder of each recording.
    taken
        Patterns whose fields have names that it can't have.
    """
    before, name, behind = _field(column, [], ())
    piece = f"{literal(before)}{{{name}:float}}{literal(behind)}"
    if not name or name in _NO_FACTS or f"{{{name}" in taken:
        numbers = (f"folder{i}" for i in count(2))
        free = next(n for n in chain(["folder"], numbers) if f"{{{n}:" not in taken)
        return f"{{{free}:any}}"
    return piece


def literal(text: str) -> str:
    """Return text as it is written in a pattern."""
    return text.replace("{", "{{").replace("}", "}}")
