"""Options of splits across groups: folds in place of named groups, and what excludes what."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

EACH = "each"
PAIRS = "pairs"
SIDES = ("train", "valid", "test")


def _folds(value: object) -> object:
    if value in {EACH, PAIRS}:
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(
            "write each (test on one group after the other), pairs (train on one group, test on "
            "another) or how many folds"
        )
    if value < 2:
        raise ValueError("folds are 2 or more: each is tested on once and trained on otherwise")
    return value


Folds = Annotated[str | int, BeforeValidator(_folds)]
FoldNumber = Annotated[int, Field(ge=0, strict=True)]


def option_problems(options: Mapping[str, Any]) -> dict[str, str]:
    """Give what is wrong between the options of a split across groups: option -> message.

    Examples
    --------
    >>> option_problems({"folds": "each", "test": [0], "train": [1]})["folds"]
    'folds: each names the groups by itself; leave train, test out, or folds'
    """
    given = {key for key, value in options.items() if value is not None}
    named = [side for side in SIDES if side in given]
    if "folds" in given:
        if not named:
            return {}
        reason = f"folds: {options['folds']} names the groups by itself"
        return {"folds": f"{reason}; leave {', '.join(named)} out, or folds"}
    problems = {}
    if "fold" in given:
        problems["fold"] = "it chooses one of split.folds, and there are none; add folds: each"
    if "test" not in given:
        problems["test"] = (
            "name the groups to test on, as in test: [1, 2], or let folds do it: each, pairs or "
            "a number"
        )
    return problems
