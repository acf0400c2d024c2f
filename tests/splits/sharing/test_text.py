"""What is said of what parts share."""

from typing import Any

import pytest

from faultdiag.report.data import duplicate_lines, leak_lines, pairs_table


def split(by_class: dict[str, str], conditions: int | None = 1) -> dict[str, Any]:
    return {"pairs": {"train-test": {"conditions": conditions}}, "leak_by_class": by_class}


def row(**changes: Any) -> dict[str, Any]:
    return {
        "recordings": ["105", "copy_of_105"],
        "channels": ["DE", "DE"],
        "start": [20_000, 0],
        "samples": 60_000,
        "scale": 1.0,
        "parts": [["train"], ["test"]],
        "leak": True,
    } | changes


def test_the_table_of_pairs() -> None:
    counts = {"samples": 12, "recordings": 3, "bearings": None, "conditions": 0}
    assert pairs_table({"train-test": counts}).splitlines() == [
        "parts       samples  recordings  bearings  conditions",
        "----------  -------  ----------  --------  ----------",
        "train-test       12           3         -           0",
    ]


@pytest.mark.parametrize(
    ("level", "conditions", "line"),
    [
        ("samples", 1, "test holds samples that the model was made with: the figure says how well "
         "they are remembered"),
        ("recording", 1, "train and test share recordings: the figure says how well other seconds "
         "of the same recordings are distinguished"),
        ("bearing", 2, "train and test share bearings: the figure says how well the same bearings "
         "are distinguished in other recordings"),
        ("bearing", 0, "train and test share bearings: the figure says how well the same bearings "
         "are distinguished under another load or speed"),
        ("bearing", None, "train and test share bearings: the figure says how well the same "
         "bearings are distinguished in other recordings"),
        ("unknown", 1, "train and test share no recording; nothing says whether they share "
         "bearings"),
        ("none", 1, "train and test share no bearing: the figure says how well faults of bearings "
         "never seen are distinguished"),
    ],
)  # fmt: skip
def test_one_sentence_says_what_the_figure_means(
    level: str, conditions: int | None, line: str
) -> None:
    assert leak_lines(split({"N": level, "B": level}, conditions)) == [line]


def test_classes_that_share_more_are_named() -> None:
    faults = dict.fromkeys(["B", "IR", "OR"], "none")
    assert [line.partition(":")[0] for line in leak_lines(split({**faults, "N": "recording"}))] == [
        "train and test share recordings of N",
        "train and test share no bearing of B, IR, OR",
    ]
    nine = {f"F{i}": "bearing" for i in range(9)}
    assert [line.partition(":")[0] for line in leak_lines(split({**nine, "N": "recording"}))] == [
        "train and test share recordings of N",
        "train and test share bearings of the other 9 classes",
    ]
    assert leak_lines(split({}, None)) == []


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "LEAK: 105 (train) and copy_of_105 (test) hold the same 60,000 samples"),
        ({"scale": -0.5}, "LEAK: 105 (train) and copy_of_105 (test) hold the same 60,000 samples, "
         "the second -0.5 times the first"),
        ({"channels": ["DE", "FE"]},
         "LEAK: 105 DE (train) and copy_of_105 FE (test) hold the same 60,000 samples"),
        ({"leak": False, "parts": [["train", "valid"], []]}, "note: 105 (train, valid) and "
         "copy_of_105 (in no part) hold the same 60,000 samples"),
        ({"recordings": ["105", "105"]},
         "LEAK: 105 holds 60,000 samples twice, from 20,000 (train) and from 0 (test)"),
        ({"recordings": ["201", "201"], "channels": ["DE", "FE"], "start": [0, 0],
          "scale": 0.98484848, "leak": False},
         "note: channel FE of 201 is 0.984848 times its channel DE: no second measurement"),
    ],
)  # fmt: skip
def test_samples_that_stand_twice(changes: dict[str, Any], line: str) -> None:
    assert duplicate_lines([row(**changes)]) == [line]


def test_channels_of_a_copy_are_one_line_and_leaks_come_first() -> None:
    rows = [row(leak=False, recordings=["1", "2"]), row(), row(channels=["FE", "FE"])]
    lines = duplicate_lines(rows)
    assert [line.split()[0] for line in lines] == ["LEAK:", "note:"]


def test_many_copies_are_counted() -> None:
    lines = duplicate_lines([row(recordings=["105", f"copy {i}"]) for i in range(8)])
    assert len(lines) == 6
    assert "copy 0 " in lines[0]
    assert lines[-1] == "LEAK: 3 more such pairs; metrics.json names them all"
    assert duplicate_lines([]) == []
