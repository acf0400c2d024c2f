"""Rows of `predict` as CSV, JSON lines and a table."""

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest

from faultdiag.prediction.rows import COLUMNS, CsvWriter, JsonWriter, Row, RowWriter, TableWriter
from faultdiag.system.terminal import from_cell

if TYPE_CHECKING:
    from collections.abc import Callable

CLASSES = ("IR", "N")
DONE = Row(
    path="a/1.mat",
    status="ok",
    label="IR",
    confidence=0.912345678,
    agreement=1.0,
    windows=12,
    sampling_rate=12_000.0,
    sampling_rate_source="catalogue",
    channel="DE",
    signature="yes",
    probabilities={"IR": 0.912345678, "N": 0.087654322},
)
ASSUMED = Row("b.mat", "ok", "N", 0.5, 0.75, 3, 25_600.5, "assumed", "DE,FE", probabilities={})
FAILED = Row("ä, b.mat", "error", error='ä, b.mat has "no" channel\'s')


def test_the_columns_are_those_of_the_contract() -> None:
    assert (
        *("path", "status", "label", "confidence", "agreement", "windows", "sampling_rate"),
        *("sampling_rate_source", "channel", "novelty", "signature", "error"),
    ) == COLUMNS


def test_csv() -> None:
    stream = io.StringIO()
    writer = CsvWriter(stream, CLASSES)
    for row in (DONE, ASSUMED, FAILED):
        writer.write(row)
    head, *rows = csv.reader(io.StringIO(stream.getvalue()))
    assert head == [*COLUMNS, "IR", "N"]
    assert rows == [
        ["a/1.mat", "ok", "IR", "0.912346", "1", "12", "12000", "catalogue", "DE", "", "yes", "",
         "0.912346", "0.0876543"],
        ["b.mat", "ok", "N", "0.5", "0.75", "3", "25600.5", "assumed", "DE,FE", "", "", "", "", ""],
        ["ä, b.mat", "error", *[""] * 9, 'ä, b.mat has "no" channel\'s', "", ""],
    ]  # fmt: skip


def test_json_lines() -> None:
    stream = io.StringIO()
    writer = JsonWriter(stream, CLASSES)
    for row in (DONE, ASSUMED, FAILED):
        writer.write(row)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [list(line) for line in lines] == [[*COLUMNS, "IR", "N"]] * 3
    assert lines[0] == {
        "path": "a/1.mat",
        "status": "ok",
        "label": "IR",
        "confidence": 0.912345678,
        "agreement": 1.0,
        "windows": 12,
        "sampling_rate": 12_000.0,
        "sampling_rate_source": "catalogue",
        "channel": "DE",
        "novelty": None,
        "signature": "yes",
        "error": None,
        "IR": 0.912345678,
        "N": 0.087654322,
    }
    assert lines[1]["sampling_rate"] == 25_600.5
    assert lines[1]["sampling_rate_source"] == "assumed"
    assert lines[2]["error"] == FAILED.error
    assert {lines[2][name] for name in ("label", "confidence", "windows", "IR", "N")} == {None}


def test_a_table() -> None:
    stream = io.StringIO()
    writer = TableWriter(stream, CLASSES, ["a/1.mat", "b.mat", "ä, b.mat"])
    for row in (DONE, FAILED):
        writer.write(row)
    assert stream.getvalue().splitlines() == [
        "recording  diagnosis  confidence %  agreement %  windows",
        "---------  ---------  ------------  -----------  -------",
        "a/1.mat    IR                 91.2        100.0       12",
        'ä, b.mat   -          ä, b.mat has "no" channel\'s',
    ]


@pytest.mark.parametrize("kind", [CsvWriter, JsonWriter])
def test_a_class_named_like_a_column_keeps_both_apart(
    kind: type[CsvWriter] | type[JsonWriter],
) -> None:
    stream = io.StringIO()
    row = Row("1.mat", "ok", "error", 0.75, 1.0, 1, probabilities={"error": 0.75, "N": 0.25})
    kind(stream, ("error", "N")).write(row)
    text = stream.getvalue()
    if kind is CsvWriter:
        found = dict(next(csv.DictReader(io.StringIO(text))))
        assert (found["error"], found["p(error)"], found["N"]) == ("", "0.75", "0.25")
    else:
        document = json.loads(text)
        assert (document["error"], document["p(error)"], document["N"]) == (None, 0.75, 0.25)


@pytest.mark.parametrize("kind", ["csv", "json", "table"])
def test_rows_are_out_at_once_and_names_that_are_not_utf8_are_escaped(kind: str) -> None:
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding="utf-8", newline="")
    name = b"\xff.mat".decode("utf-8", "surrogateescape")
    writers: dict[str, Callable[[], RowWriter]] = {
        "csv": lambda: CsvWriter(stream, CLASSES),
        "json": lambda: JsonWriter(stream, CLASSES),
        "table": lambda: TableWriter(stream, CLASSES, [name]),
    }
    writer = writers[kind]()
    for count in (1, 2):
        writer.write(Row(name, "error", error=f"{name} is bad"))
        assert buffer.getvalue().count(b"is bad") == count
    assert rb"\udcff.mat" in buffer.getvalue()


HOSTILE = "=cmd|' C'!A0\x1b[2J\n\r\u202e'-1,\".mat"


def test_names_are_no_formulas_and_control_no_terminal() -> None:
    row = Row(HOSTILE, "ok", "-IR", 0.5, 1.0, 3, channel="@DE", probabilities={"-IR": 1.0})
    for make in (CsvWriter, JsonWriter, table):
        stream = io.StringIO(newline="")
        make(stream, ("-IR",)).write(row)
        text = stream.getvalue()
        if make is CsvWriter:
            heading, cells = csv.reader(io.StringIO(text, newline=""))
            assert not [c for c in [*heading, *cells] if c.startswith(("=", "+", "-", "@"))]
            assert (from_cell(cells[0]), from_cell(cells[2])) == (HOSTILE, "-IR")
            assert from_cell(heading[-1]) == "-IR"
        else:
            assert not set("\x1b\r\u202e") & set(text)
        if make is JsonWriter:
            assert json.loads(text)["path"] == HOSTILE
        if make is table:
            assert text.count("\n") == 3


def table(stream: io.StringIO, classes: tuple[str, ...]) -> TableWriter:
    return TableWriter(stream, classes, [HOSTILE])
