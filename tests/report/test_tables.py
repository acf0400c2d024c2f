"""Tables of results: aligned, undefined values as a dash, Markdown that renders."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from faultdiag.metrics.evaluation import evaluate
from faultdiag.report.tables import format_table, parts_table

law = settings(max_examples=25, deadline=None)
ROWS: list[dict[str, object]] = [
    {"name": "wdcnn", "accuracy": 0.98765, "windows": 47, "spread": "98.1 ± 0.4"},
    {"name": "a|b", "accuracy": None, "windows": 12345},
]
COLUMNS = {"name": "model", "accuracy": "accuracy %", "windows": "n", "spread": "mean ± sd"}


def test_the_text_table() -> None:
    assert format_table(ROWS, COLUMNS).splitlines() == [
        "model  accuracy %      n  mean ± sd",
        "-----  ----------  -----  ----------",
        "wdcnn        98.8     47  98.1 ± 0.4",
        "a|b             -  12345  -",
    ]


def test_the_markdown_table() -> None:
    assert format_table(ROWS, COLUMNS, markdown=True).splitlines() == [
        "| model | accuracy % |     n | mean ± sd  |",
        "| ----- | ---------: | ----: | ---------- |",
        "| wdcnn |       98.8 |    47 | 98.1 ± 0.4 |",
        r"| a\|b  |          - | 12345 | -          |",
    ]


def test_a_table_without_rows_is_its_head() -> None:
    assert format_table([], {"a": "a", "b": "longer"}) == "  a  longer\n---  ------"


@law
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {"a": st.sampled_from(["x", "|", "long name"]), "b": st.none() | st.floats(0, 1)}
        )
    ),
)
def test_every_line_of_a_markdown_table_is_as_long(rows: list[dict[str, object]]) -> None:
    lines = format_table(rows, {"a": "a", "b": "b"}, markdown=True).splitlines()
    assert len(lines) == len(rows) + 2
    assert len({len(line) for line in lines}) == 1


def test_the_table_of_the_parts_names_what_a_number_stands_on() -> None:
    def part(healthy_windows: int) -> tuple[list[int], list[list[float]], list[int]]:
        labels = [0] * healthy_windows + [1, 1, 1, 1]
        called = [0] * healthy_windows + [1, 1, 1, 0]
        return labels, np.eye(2)[called].tolist(), [0] * healthy_windows + [1, 1, 2, 2]

    parts = {
        name: evaluate(*part(n), classes=["N", "IR"], healthy=["N"])
        for name, n in (("valid", 4), ("test", 0))
    }
    assert parts_table(parts, {"valid": 3}).splitlines() == [
        "part   windows  disjoint  recordings  accuracy %  macro-F1 %  false alarms %"
        "  missed alarms %",
        "-----  -------  --------  ----------  ----------  ----------  --------------"
        "  ---------------",
        "valid        8         3           3  7 of 8            87.3  0 of 4          1 of 4",
        "test         4         -           2  3 of 4            42.9  -               1 of 4",
    ]
    assert parts_table(parts, {}, markdown=True).startswith("| part  | windows |")
