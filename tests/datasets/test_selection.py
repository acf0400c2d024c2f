"""Selecting rows of facts."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultdiag.datasets.base import choose, values_of
from faultdiag.errors import FaultdiagError

ROWS: list[dict[str, Any]] = [
    {"number": 97, "size": None, "load": 0, "bearing": "6205"},
    {"number": 98, "size": None, "load": 1, "bearing": "6205"},
    {"number": 105, "size": "007", "load": 0, "bearing": "6205"},
    {"number": 209, "size": "021", "load": 1, "bearing": "6203"},
]


def numbers(select: dict[str, Any]) -> list[int]:
    return [row["number"] for row in choose(ROWS, select)]


def test_values_are_in_order_with_none_first() -> None:
    assert values_of(ROWS)["size"] == (None, "007", "021")
    assert values_of(ROWS)["number"] == (97, 98, 105, 209)
    assert values_of([{"a": 1}, {}]) == {"a": (None, 1)}


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        ({}, [97, 98, 105, 209]),
        ({"size": [None]}, [97, 98]),
        ({"size": [None, "007"], "load": [0]}, [97, 105]),
        ({"load": ["1"], "bearing": [6205]}, [98]),
        ({"load": 1.0}, [98, 209]),
        ({"size": "021"}, [209]),
        ({"number": (209, 97)}, [97, 209]),
    ],
)
def test_rows_with_one_of_the_values(select: dict[str, Any], expected: list[int]) -> None:
    assert numbers(select) == expected


@given(st.lists(st.sampled_from([None, "007", "021"]), min_size=1, unique=True))
def test_selecting_is_filtering(sizes: list[str | None]) -> None:
    assert numbers({"size": sizes}) == [r["number"] for r in ROWS if r["size"] in sizes]


@pytest.mark.parametrize(
    ("select", "said"),
    [
        (
            {"sizes": [1]},
            r"select\.sizes: unknown fact 'sizes' \(did you mean 'size'\?\); known: b",
        ),
        ({"size": [7]}, r'select\.size: 7 is a number .* are text; write "007" in quotes'),
        ({"size": [17]}, r'17 is a number and the values are text; write "021" in quotes'),
        (
            {"size": ["07"]},
            r'no recording has "07" \(did you mean \'007\'\?\); there are: null, "007"',
        ),
        ({"load": [5]}, r"select\.load: no recording has 5; there are: 0, 1$"),
        ({"load": [True]}, r"no recording has True; there are: 0, 1$"),
        ({"load": [None]}, r"no recording has null; there are: 0, 1$"),
        ({"load": [[0]]}, r"no recording has \[0\]; there are: 0, 1$"),
        ({"size": []}, r'select\.size is empty; name at least one of: null, "007", "021"$'),
    ],
)
def test_what_no_row_has(select: dict[str, Any], said: str) -> None:
    with pytest.raises(FaultdiagError, match=said):
        choose(ROWS, select)


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(FaultdiagError) as caught:
        choose(ROWS, {"sise": ["007"], "size": [7, "028"], "load": [9]})
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "select.sise",
        "select.size",
        "select.size",
        "select.load",
    ]


def test_the_condition_that_leaves_nothing_is_named() -> None:
    said = (
        r'select leaves no recording: of the 3 with bearing \["6205"\] none has size \["021"\]; '
        r'they have: null, "007"'
    )
    with pytest.raises(FaultdiagError, match=said):
        choose(ROWS, {"bearing": ["6205"], "size": ["021"]})


def test_a_long_list_of_values_is_cut() -> None:
    rows = [{"number": n} for n in range(40)]
    with pytest.raises(
        FaultdiagError, match=r"there are: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, …$"
    ):
        choose(rows, {"number": [40]})
