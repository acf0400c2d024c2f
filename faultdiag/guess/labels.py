"""The place of the classes of recordings: in folders or names, with other facts there."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from faultdiag.datasets.base import some
from faultdiag.datasets.facts import FilePattern, first_fit
from faultdiag.documents import Document, Json
from faultdiag.errors import FaultdiagError
from faultdiag.guess.names import fact_patterns, folder_piece, is_condition, literal, name_patterns
from faultdiag.guess.states import is_state, part_of_split
from faultdiag.splits.within import PARTS

# More classes than that, without a word for a bearing's state among them, are file numbers.
_MOST_CLASSES = 50


@dataclass(frozen=True, slots=True)
class LabelGuess:
    """The labelling of recordings: options of the dataset ``folder``, the label, and why.

    ``share`` is the part of the files whose class is a word for a bearing's state; ``level`` is
    that of the folders that are the classes, counted from the uppermost, or None.
    """

    options: Json
    label: str
    share: float
    reasons: list[str] = field(default_factory=list)
    level: int | None = None


def own_split(paths: Sequence[str], options: Document) -> Json:
    """Return the split that is the user's by folders or names; empty where there is none.

    Where there are recordings for training and validation only, the latter are the test.

    Parameters
    ----------
    options
        Those of the dataset ``folder``, with the patterns of the names.
    """
    patterns = [FilePattern(text) for text in _patterns_in(options)]
    rows = [facts for path in paths if (facts := first_fit(patterns, path))]
    for name in dict.fromkeys(name for row in rows for name in row):
        if name in {"label", "fault"}:
            continue
        if parts := _parts_of([row.get(name) for row in rows]):
            return {"strategy": "across", "fact": name, **parts}
    return {}


def _patterns_in(options: Document) -> list[str]:
    """Return the patterns of the dataset ``folder``: none, one or more."""
    given = options.get("pattern", [])
    return [given] if isinstance(given, str) else list(given)


def _parts_of(values: Sequence[object]) -> dict[str, list[str]]:
    """Return the values that mean parts of a split, by part; empty where they are no split."""
    parts: dict[str, list[str]] = {}
    for value in sorted({str(value) for value in values}):
        parts.setdefault(part_of_split(value), []).append(value)
    others = set(parts.pop("", ()))
    if "test" not in parts and "valid" in parts:
        parts["test"] = parts.pop("valid")
    known = sum(str(value) not in others for value in values)
    whole = {"train", "test"} <= parts.keys() and 2 * known > len(values)
    return {part: parts[part] for part in PARTS if part in parts} if whole else {}


def part_level(paths: Sequence[str]) -> int | None:
    """Return the level of folders, from the uppermost, that are parts of a split, or None."""
    rows = [path.split("/")[:-1] for path in paths]
    for level in range(min(map(len, rows), default=0)):
        if _parts_of([row[level] for row in rows]):
            return level
    return None


def guess_own_labels(root: Path, paths: Sequence[str]) -> LabelGuess:
    """Return how recordings are labelled, and what else their folders and names say.

    The fact ``part`` is the folder of a user's own split.

    Raises
    ------
    FaultdiagError
        As `guess_labels`, or if recordings of a split lie at several depths.
    """
    level = part_level(paths)
    if level is None:
        labels = guess_labels(root, paths)
        pattern = _whole_pattern(labels, paths)
        return replace(labels, options={"pattern": _one_or_all(pattern)}) if pattern else labels
    if len({path.count("/") for path in paths}) > 1:
        raise FaultdiagError(
            f"{root} has folders for training and test, and recordings at several depths below "
            "them; keep all at one depth, or list them in a manifest.csv: path,label,part"
        )
    parts = [path.split("/") for path in paths]
    below = ["/".join([*row[:level], *row[level + 1 :]]) for row in parts]
    labels = guess_labels(root, below)
    pattern = [
        "/".join([*pieces[:level], "{part:any}", *pieces[level:]])
        for text in _whole_pattern(labels, below, always=True)
        for pieces in [text.split("/")]
    ]
    return replace(labels, options={"pattern": _one_or_all(pattern)})


def _one_or_all(patterns: list[str]) -> str | list[str]:
    return patterns[0] if len(patterns) == 1 else patterns


def _whole_pattern(guess: LabelGuess, paths: Sequence[str], *, always: bool = False) -> list[str]:
    """Return patterns with the facts of all folders and of the names beside that of the label.

    Parameters
    ----------
    always
        Whether they are wanted where they say no more than the label; nothing is returned else,
        and where recordings lie at several depths.
    """
    columns = _folder_columns(paths)
    if not columns:
        return _patterns_in(guess.options) if always else []
    names = _name_patterns(guess, paths)
    folders = _folder_pieces(columns, guess, "".join(names))
    varying = [len(set(column)) > 1 for column in columns]
    # The label is one of the levels that vary.
    more = sum(varying) > (guess.level is not None)
    if not (always or more or (guess.level is not None and len(names) > 1)):
        return []
    first = 0 if always else varying.index(True)
    return ["/".join([*folders[first:], name]) for name in names]


def _folder_columns(paths: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the folders of all recordings by level; none where they lie at several depths."""
    rows = [path.split("/")[:-1] for path in paths]
    return list(zip(*rows, strict=True)) if len(set(map(len, rows))) == 1 else []


def _name_patterns(guess: LabelGuess, paths: Sequence[str]) -> list[str]:
    """Return the patterns of the files' names; the last one takes those of any other name."""
    if guess.level is None:
        return _patterns_in(guess.options)
    return [*fact_patterns(paths), "{file:any}"]


def _folder_pieces(columns: Sequence[Sequence[str]], guess: LabelGuess, names: str) -> list[str]:
    pieces: list[str] = []
    for level, column in enumerate(columns):
        if level == guess.level:
            pieces.append("{label:any}")
        elif len(set(column)) == 1:
            pieces.append(literal(column[0]))
        else:
            taken = names + "".join(pieces)
            pieces.append(folder_piece(column, taken))
    return pieces


def guess_labels(root: Path, paths: Sequence[str]) -> LabelGuess:
    """Return the most likely place of the classes.

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
    guesses = guesses or _folders(paths, conditions=True)
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


def _folders(paths: Sequence[str], *, conditions: bool = False) -> list[LabelGuess]:
    """Return the levels of folders that may be the classes, from the uppermost down.

    Parameters
    ----------
    conditions
        Whether a level of speeds, loads or sizes may be.
    """
    # A few files beside the folders of the classes are left out, with a note.
    parents = [path.split("/")[:-1] for path in paths if "/" in path]
    if 2 * len(parents) <= len(paths):
        return []
    guesses: list[LabelGuess] = []
    for level in range(min(map(len, parents))):
        guess = _folders_at(level, parents, len(paths), conditions=conditions)
        if guess is not None and (guess.share > 0 or not guesses):
            guesses.append(guess)
    return guesses


def _folders_at(
    level: int, parents: Sequence[list[str]], count: int, *, conditions: bool
) -> LabelGuess | None:
    """Return a guess that the folders of a level are the classes, or None if they are not.

    Parameters
    ----------
    parents
        The folders of each file.
    count
        Number of all files.
    """
    # The uppermost folder needs no pattern; others are counted from the file up.
    above_file = min(map(len, parents)) - level
    names = [folders[-above_file if level else 0] for folders in parents]
    classes = sorted(set(names))
    if len(classes) < 2 or (not conditions and is_condition(names)):
        return None
    share = sum(map(is_state, names)) / count
    if share == 0 and len(classes) > _MOST_CLASSES:
        return None
    reason = f"the recordings lie in the folders {some(classes)}"
    options = _folder_options(above_file) if level else {}
    return LabelGuess(options, "{label}", share, [reason], level)


def _folder_options(above_file: int) -> Json:
    below = "".join(f"/{{folder{i}:any}}" for i in range(above_file - 1, 0, -1))
    return {"pattern": f"{{label:any}}{below}/{{file:any}}"}


def _files(paths: Sequence[str], *, least: int) -> list[LabelGuess]:
    patterns = name_patterns(paths)
    if patterns is None or (patterns.share == 0 and len(patterns.states) > _MOST_CLASSES):
        return []
    if patterns.classes < least:
        return []
    pattern = _one_or_all(patterns.patterns)
    example = Path(paths[0]).name
    reasons = [f"the files are named like {example}", *patterns.reasons]
    return [LabelGuess({"pattern": pattern}, patterns.label, patterns.share, reasons)]
