"""Facts and labels in the names of files."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from faultdiag.datasets.base import some
from faultdiag.documents import Document, Json
from faultdiag.errors import FaultdiagError

# Whole words first, then beginnings; lower case.
_HEALTHY = frozenset(
    {"n", "h", "no", "nor", "norm", "ok", "good", "base", "ref", "reference", "new", "nofault"}
    | {"正常", "健康", "无故障", "gut", "intakt", "sain", "sano", "норма"}
)
_HEALTHY_BEGIN = ("normal", "health", "baseline", "undamaged", "intact", "faultless", "nofault")
_FAULTY = frozenset(
    {"i", "ir", "irf", "if", "ib", "o", "or", "orf", "of", "ob", "b", "bf", "tb", "be", "re"}
    | {"c", "cf", "ca", "cage", "comb", "compound", "mixed", "defect", "worn", "f"}
)
_FAULTY_BEGIN = (
    *("inner", "outer", "ball", "roll", "cage", "combin", "fault", "damag", "crack"),
    *("内圈", "外圈", "滚动体", "滚珠", "保持架", "innenring", "aussenring", "außenring"),
)
# What states are called, by what they are: whole words, and beginnings.
_STATES: dict[str, tuple[frozenset[str], tuple[str, ...]]] = {
    "healthy": (_HEALTHY, _HEALTHY_BEGIN),
    "inner race": (frozenset({"i", "ir", "irf", "if", "ib"}), ("inner", "内圈", "innenring")),
    "outer race": (
        frozenset({"o", "or", "orf", "of", "ob"}),
        ("outer", "外圈", "aussenring", "außenring"),
    ),
    "rolling element": (
        frozenset({"b", "bf", "tb", "be", "re"}),
        ("ball", "roll", "滚动体", "滚珠"),
    ),
    "cage": (frozenset({"c", "cf", "ca"}), ("cage", "保持架")),
}


def is_healthy(name: str) -> bool:
    """Return whether a name means a healthy bearing.

    Examples
    --------
    >>> [is_healthy(name) for name in ("N", "Normal_1", "baseline", "N1", "IR007", "noise")]
    [True, True, True, True, False, False]
    """
    return _begins_with(name, _HEALTHY, _HEALTHY_BEGIN)


def is_state(name: str) -> bool:
    """Return whether a name means a state of a bearing, healthy or faulty.

    Examples
    --------
    >>> [is_state(name) for name in ("IR007", "InnerRaceFault", "outer", "N", "rig", "900")]
    [True, True, True, True, False, False]
    """
    return _begins_with(name, _FAULTY, _FAULTY_BEGIN) or is_healthy(name)


def _begins_with(name: str, words: Collection[str], beginnings: tuple[str, ...]) -> bool:
    """Return whether the letters that a name begins with are one of these words, or begin so."""
    word = first_letters(name).lower()
    return word in words or word.startswith(beginnings)


def first_letters(name: str) -> str:
    """Return the letters that a name begins with.

    Examples
    --------
    >>> first_letters("OR007@6"), first_letters("007")
    ('OR', '')
    """
    match = re.match(r"[^\W\d_]+", name)
    return match[0] if match else ""


def alike(classes: Iterable[str]) -> list[str]:
    """Return which classes are probably one that was written in several ways.

    Examples
    --------
    >>> alike(["OR5", "OuterRaceFault", "IR007", "IR014"])
    ['OR5, OuterRaceFault: probably one class (outer race)']
    """
    every = sorted(set(classes))
    groups = []
    for state, (words, beginnings) in _STATES.items():
        own = [name for name in every if _begins_with(name, words, beginnings)]
        if len(set(map(first_letters, own))) > 1:
            groups.append(f"{', '.join(own)}: probably one class ({state})")
    folded = defaultdict(list)
    for name in every:
        folded[re.sub(r"[\W_]+", "", name.casefold())].append(name)
    of_states = " ".join(groups)
    return groups + [
        f"{', '.join(names)}: probably one class"
        for names in folded.values()
        if len(names) > 1 and ", ".join(names) not in of_states
    ]


# The clock position stands behind an @, as in CWRU's OR007@6.
_SEPARATORS = re.compile(r"([_\-\s@]+)")
_NUMBER = re.compile(r"([^\W\d_]*)([0-9]+(?:\.[0-9]+)?)([^\W\d_]*)")
# What stands before or behind a number -> what it is.
_UNITS = {
    "rpm": "rpm",
    "hp": "load_hp",
    "lbs": "load_lbs",
    "n": "load_n",
    "kn": "load_kn",
    "nm": "torque_nm",
    "mm": "size_mm",
}
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
    share = sum(map(is_state, states)) / len(paths)
    letters = set(map(first_letters, states))
    label, classes = ("{fault}{size}", set(states)) if kind == "size" else ("{fault}", letters)
    return NamePatterns(patterns, label, share, letters, list(dict.fromkeys(reasons)), len(classes))


def _all_patterns(shapes: Sequence[_Shape], kind: str, reasons: list[str]) -> list[str]:
    """Return the patterns of all shapes, each once."""
    speeds = {text for shape in shapes for text in _speeds(shape)}
    patterns = (_patterns(shape, kind, reasons, speeds) for shape in shapes)
    # Those with more fields are narrower: the first that fits counts.
    return sorted(
        dict.fromkeys(chain.from_iterable(patterns)), key=lambda pattern: -pattern.count("{")
    )


def _shapes(stems: Sequence[str]) -> list[_Shape]:
    groups: dict[tuple[str, ...], list[list[str]]] = defaultdict(list)
    for stem in stems:
        parts = _SEPARATORS.split(stem)
        groups[tuple(parts[1::2])].append(parts[::2])
    largest = sorted(groups.items(), key=lambda item: -len(item[1]))[:_MOST_SHAPES]
    shapes = []
    for separators, rows in largest:
        columns = [list(column) for column in zip(*rows, strict=True)]
        place = _place(columns)
        if place is not None and all(map(any, columns)):
            shapes.append(_Shape(separators, columns, place))
    return shapes


def _place(columns: Sequence[Sequence[str]]) -> int | None:
    """Return the place of the class: most words for a state, else the first letters that vary."""
    shares = [sum(map(is_state, column)) for column in columns]
    varying_states = [s if len(set(c)) > 1 else 0 for s, c in zip(shares, columns, strict=True)]
    if max(varying_states) > 0:
        return varying_states.index(max(varying_states))
    if max(shares) > 0:
        return shares.index(max(shares))
    lettered = [i for i, column in enumerate(columns) if all(map(first_letters, column))]
    varying = [i for i in lettered if len(set(map(first_letters, columns[i]))) > 1]
    return next(iter(varying), None)


def _kind_of_digits(states: Iterable[str]) -> tuple[str, str]:
    """Return what the digits behind a state's letters are, and why: a speed, a size or a run."""
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
    columns = [c for i, c in enumerate(shape.columns) if i != shape.place and _is_speed(c)]
    return {text for column in columns for text in column}


def _patterns(shape: _Shape, kind: str, reasons: list[str], speeds: Collection[str]) -> list[str]:
    """Return the shape's pattern; two where some of its classes have digits and some none."""
    pieces = _pieces(shape, reasons, speeds)
    endings = {state != first_letters(state) for state in shape.states}
    patterns = []
    for has_digits in sorted(endings, reverse=True):
        field = f"{{fault:alpha}}{{{kind}{':int' if kind == 'rpm' else ''}}}"
        pieces[shape.place] = field if has_digits else "{fault:alpha}"
        separators = [_literal(text) for text in shape.separators] + [""]
        patterns.append("".join(p + s for p, s in zip(pieces, separators, strict=True)))
    return patterns


def _pieces(shape: _Shape, reasons: list[str], speeds: Collection[str]) -> list[str]:
    """Return the pattern of each place but that of the class."""
    used: Counter[str] = Counter()
    pieces = []
    for i, column in enumerate(shape.columns):
        if i == shape.place:
            pieces.append("")
            continue
        before, name, behind = _field(column, reasons, speeds)
        if i and "@" in shape.separators[i - 1]:
            name = "position"
        if not name:
            pieces.append(_literal(column[0]))
            continue
        used[name] += 1
        numbered = name if used[name] == 1 else f"{name}_{used[name]}"
        converter = ":float" if before or behind else ""
        pieces.append(f"{_literal(before)}{{{numbered}{converter}}}{_literal(behind)}")
    return pieces


def _field(
    column: Sequence[str], reasons: list[str], speeds: Collection[str]
) -> tuple[str, str, str]:
    """Return the text before a fact, its name, and the text behind; no name if it never varies."""
    parts = _split_numbers(column)
    if parts is None:
        return "", "" if len(set(column)) == 1 else "part", ""
    before, numbers, behind = parts
    if before or behind:
        name = _unit(before, numbers) or _unit(behind, numbers)
    else:
        name = _speed(numbers, reasons, speeds)
    if not name and len(set(numbers)) == 1:
        return "", "", ""
    return before, name or "number", behind


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
    if not all(re.fullmatch(r"[1-9][0-9]*", number) for number in numbers):
        return False
    values = [int(number) for number in numbers]
    again = not repeated and len(set(values)) <= len(values) / 2
    return all(_SPEEDS[0] <= value <= _SPEEDS[1] for value in values) and (
        again or all(value % 10 == 0 for value in values)
    )


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


# More classes than that, without a word for a bearing's state among them, are file numbers.
_MOST_CLASSES = 50


@dataclass(frozen=True, slots=True)
class LabelGuess:
    """How recordings are labelled: options of the dataset ``folder``, the label, and why.

    ``share`` is the part of the files whose class is a word for a bearing's state.
    """

    options: Json
    label: str
    share: float
    reasons: list[str] = field(default_factory=list)


# Folders by which users keep their own split apart -> the part.
_PARTS = {
    **dict.fromkeys(("train", "training", "trainset", "训练集", "训练"), "train"),
    **dict.fromkeys(("valid", "val", "validation", "dev", "验证集", "验证"), "valid"),
    **dict.fromkeys(("test", "testing", "testset", "测试集", "测试"), "test"),
}


def own_split(paths: Sequence[str]) -> dict[str, list[str]]:
    """Return the uppermost folders of a user's own split by part; empty where there is none."""
    folders = {path.split("/")[0] for path in paths if "/" in path}
    parts: dict[str, list[str]] = {}
    for name in sorted(folders):
        parts.setdefault(_PARTS.get(name.lower(), ""), []).append(name)
    whole = all("/" in path for path in paths)
    return parts if whole and "" not in parts and {"train", "test"} <= parts.keys() else {}


def guess_labels_below(root: Path, paths: Sequence[str]) -> LabelGuess:
    """Return how recordings are labelled below the folders of a user's own split.

    The fact ``part`` is the name of the uppermost folder.

    Raises
    ------
    FaultdiagError
        As `guess_labels`, or if the recordings lie at several depths.
    """
    below = [path.partition("/")[2] for path in paths]
    guess = guess_labels(root, below)
    depths = {path.count("/") for path in below}
    if len(depths) > 1:
        raise FaultdiagError(
            f"{root} has folders for training and test, and recordings at several depths below "
            "them; keep all at one depth, or list them in a manifest.csv: path,label,part"
        )
    return replace(guess, options={"pattern": _below_part(guess.options, depths.pop())})


def _below_part(options: Document, depth: int) -> str | list[str]:
    given = options.get("pattern", "")
    patterns = [given] if isinstance(given, str) else list(given)
    made = []
    for pattern in patterns:
        inner = pattern or "/".join(["{label:any}", *_any_folders(depth - 1), "{file:any}"])
        missing = depth - inner.count("/")
        made.append("/".join(["{part:any}", *_any_folders(missing), inner]))
    return made[0] if len(made) == 1 else made


def _any_folders(count: int) -> list[str]:
    return [f"{{above{i}:any}}" for i in range(1, count + 1)]


def guess_labels(root: Path, paths: Sequence[str]) -> LabelGuess:
    """Return where the classes most likely stand.

    Folders' and files' names that are words for a bearing's state (normal, inner, OR …) decide;
    without any, sub-folders are taken before names.

    Raises
    ------
    FaultdiagError
        If neither folders nor files tell two classes or more.
    """
    folders = _folders(paths)
    # Names that tell one class only never hide folders that tell several.
    guesses = [*folders, *_files(paths, least=2 if folders else 1)]
    if not guesses:
        raise FaultdiagError(
            f"{root}: no names of folders or files tell two classes: {some(paths)}; put each "
            "class into a sub-folder of its own, or list the recordings in a manifest.csv: "
            "path,label"
        )
    best = max(guesses, key=lambda guess: guess.share)
    others = [guess.reasons[0] for guess in guesses if guess is not best]
    if others:
        why = "more of them are words for a state" if best.share else "they are taken first"
        best.reasons.append(f"{why}, so not taken for classes: {'; '.join(others)}")
    return best


def _folders(paths: Sequence[str]) -> list[LabelGuess]:
    """Return a guess for each depth whose folders may be the classes, the uppermost first."""
    # A few files beside the folders of the classes are left out, with a note.
    parents = [path.split("/")[:-1] for path in paths if "/" in path]
    if 2 * len(parents) <= len(paths):
        return []
    levels = range(min(map(len, parents)))
    guesses = (_folders_at(level, parents, len(paths)) for level in levels)
    return [guess for guess in guesses if guess is not None]


def _folders_at(level: int, parents: Sequence[list[str]], count: int) -> LabelGuess | None:
    """Return a guess that the folders of one depth are the classes, or None if they are not.

    Parameters
    ----------
    level
        0 for the uppermost folder, which needs no pattern; others are counted from the file up.
    parents
        The folders of each file.
    count
        Of all files.
    """
    names = [folders[-level] if level else folders[0] for folders in parents]
    classes = sorted(set(names))
    share = sum(map(is_state, names)) / count
    if len(classes) < 2 or (share == 0 and (level or len(classes) > _MOST_CLASSES)):
        return None
    below = "".join(f"/{{folder{i}:any}}" for i in range(level - 1, 0, -1))
    options = {"pattern": f"{{label:any}}{below}/{{file:any}}"} if level else {}
    reason = f"the recordings lie in the folders {some(classes)}"
    return LabelGuess(options, "{label}", share, [reason])


def _files(paths: Sequence[str], *, least: int) -> list[LabelGuess]:
    guesses = name_patterns(paths)
    if guesses is None or (guesses.share == 0 and len(guesses.states) > _MOST_CLASSES):
        return []
    if guesses.classes < least:
        return []
    pattern: Any = guesses.patterns[0] if len(guesses.patterns) == 1 else guesses.patterns
    example = Path(paths[0]).name
    reasons = [f"the files are named like {example}", *guesses.reasons]
    return [LabelGuess({"pattern": pattern}, guesses.label, guesses.share, reasons)]
