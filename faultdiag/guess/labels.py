"""Where the classes of one's own recordings stand: in folders' names or in files' names."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faultdiag.datasets.listing import some
from faultdiag.errors import FaultdiagError
from faultdiag.guess.file_names import name_patterns
from faultdiag.guess.words import is_state

# More classes than that, without a word for a bearing's state among them, are file numbers.
_MOST_CLASSES = 50


@dataclass(frozen=True, slots=True)
class LabelGuess:
    """How recordings are labelled: options of the dataset ``folder``, the label, and why.

    ``share`` is the part of the files whose class is a word for a bearing's state.
    """

    options: dict[str, Any]
    label: str
    share: float
    reasons: list[str] = field(default_factory=list)


def guess_labels(root: Path, paths: Sequence[str]) -> LabelGuess:
    """Give where the classes most likely stand.

    Folders' and files' names that are words for a bearing's state (normal, inner, OR …) decide;
    without any, sub-folders are taken before names.

    Raises
    ------
    FaultdiagError
        If neither folders nor files tell two classes or more.
    """
    guesses = [*_folders(paths), *_files(paths)]
    if not guesses:
        raise FaultdiagError(
            f"{root}: no names of folders or files tell two classes: {some(paths)}; put each "
            "class into a sub-folder of its own, or list the recordings in a manifest.csv: "
            "path,label"
        )
    return max(guesses, key=lambda guess: guess.share)


def _folders(paths: Sequence[str]) -> list[LabelGuess]:
    parents = [path.split("/")[:-1] for path in paths]
    depth = min(map(len, parents))
    guesses = []
    for level in range(depth):
        # The uppermost folder needs no pattern; others are counted from the file up.
        above = level == 0
        names = [folders[0] if above else folders[-level] for folders in parents]
        classes = sorted(set(names))
        share = sum(map(is_state, names)) / len(names)
        if len(classes) < 2 or (share == 0 and (level or len(classes) > _MOST_CLASSES)):
            continue
        below = "".join(f"/{{folder{i}:any}}" for i in range(level - 1, 0, -1))
        options = {} if above else {"pattern": f"{{label:any}}{below}/{{file:any}}"}
        reason = f"the recordings lie in the folders {some(classes)}"
        guesses.append(LabelGuess(options, "{label}", share, [reason]))
    return guesses


def _files(paths: Sequence[str]) -> list[LabelGuess]:
    found = name_patterns(paths)
    if found is None or (found.share == 0 and len(found.states) > _MOST_CLASSES):
        return []
    pattern: Any = found.patterns[0] if len(found.patterns) == 1 else found.patterns
    example = Path(paths[0]).name
    reasons = [f"the files are named like {example}", *found.reasons]
    return [LabelGuess({"pattern": pattern}, found.label, found.share, reasons)]
