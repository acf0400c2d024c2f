"""What a protocol means: a sentence on what train and test share, for below the table."""

from collections.abc import Mapping
from typing import Any

_STRATEGIES = {
    "within_recording": (
        "train and test are different stretches of the same recordings: same bearing, same load, "
        "same day"
    ),
    "across_recordings": "whole recordings are held out; their bearings may have been trained on",
    "across_loads": (
        "the same bearings as in training, at motor loads that were not: what is new is the load"
    ),
    "across_sizes": (
        "fault sizes that were not trained on, so other physical bearings: what is new is the fault"
    ),
    "across_bearings": "physical bearings that were not trained on",
    "random_windows": (
        "windows of the same recordings dealt at random, overlapping ones to both sides"
    ),
    "legacy_wdcnn": (
        "the split of the WDCNN scripts: validation and test windows come from the same stretch"
    ),
}

_LEAKS = {
    "samples": "test windows hold samples that were trained on or chosen by: the figure is void",
    "recording": "train and test share recordings",
    "bearing": "train and test share physical bearings, not recordings",
    "unknown": "train and test share no recording; nothing says whether they share bearings",
    "none": "train and test share no recording and no bearing",
    "-": "what they share was not determined",
}

_FOLDS = {
    "pairs": "each value trained on alone and tested on each other one",
    "each": "each value held out in turn, all others trained on",
}


def meaning(split: Mapping[str, Any]) -> str:
    """Give what is new to the model in the test part of a split, and how it is cut into folds.

    Examples
    --------
    >>> meaning({"strategy": "across", "fact": "end"})
    'values of end that were not trained on'
    """
    strategy = split["strategy"]
    if split["strategy"] == "file":
        return f"the split in {split.get('path')}"
    fact = split.get("fact") or split.get("across") or "a fact"
    text = _STRATEGIES.get(strategy, f"values of {fact} that were not trained on")
    folds = split.get("folds")
    return text if folds is None else f"{text}; {_FOLDS.get(folds, f'{folds} folds')}"


def leak_meaning(leak: str | None) -> str:
    """Give what a leak level says, as a part of a sentence."""
    return _LEAKS.get(leak or "-", str(leak))
