"""What comes from a file is shown, never executed: by no terminal and by no spreadsheet."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultdiag.errors import FaultdiagError, did_you_mean, printable, printable_lines, unknown
from faultdiag.system.terminal import csv_line, from_cell, note, printable_json, to_cell

HOSTILE = "\x1b\x07\r\n\t\x00\x7f\x9b\u202e\u200f\u2028\ud800\u0001"
NAMES = st.text(st.characters(), max_size=20) | st.text(
    st.sampled_from(HOSTILE + "[2J=+-@'a正"), max_size=20
)


@given(NAMES)
def test_what_is_shown_controls_nothing(text: str) -> None:
    shown = printable(text)
    assert not set(shown) & set(HOSTILE)
    assert printable(shown) == shown
    assert shown.encode() is not None


@given(NAMES)
def test_lines_stay_lines(text: str) -> None:
    assert printable_lines(text).count("\n") == text.count("\n")
    assert not set(printable_lines(text)) & (set(HOSTILE) - {"\n", "\t"})


def test_names_of_the_world_stay_as_they_are() -> None:
    for name in ("Außenring", "正常 轴承", "подшипник", "베어링", "m/s²", "1.5 µm", "a\u3000b"):
        assert printable(name) == name


def test_every_message_to_the_user_is_safe() -> None:
    assert str(FaultdiagError("a\x1b[2J\nb")) == "a\\x1b[2J\nb"
    for text in (did_you_mean("\x1b[3", ["\x1b[31"]), str(unknown("block", "a\n\x07", ["b\x1b"]))):
        assert not set(text) & set(HOSTILE)


@given(st.recursive(NAMES, lambda inner: st.lists(inner, max_size=3), max_leaves=5))
def test_json_keeps_its_values(document: object) -> None:
    for ascii_only in (True, False):
        text = json.dumps(document, ensure_ascii=ascii_only, indent=1)
        assert json.loads(printable_json(text)) == document
        assert not set(printable_json(text)) & (set(HOSTILE) - {"\n"})


@given(NAMES)
def test_a_cell_is_no_formula_and_reads_back(text: str) -> None:
    cell = to_cell(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert from_cell(cell) == text


@given(st.lists(NAMES.filter(lambda text: "\0" not in text), min_size=1, max_size=4))
def test_cells_survive_a_csv_file(texts: list[str]) -> None:
    lines = csv_line([to_cell(text) for text in texts]) * 2
    rows = list(csv.reader(io.StringIO(lines, newline="")))
    expected = texts if texts != [""] else []
    assert [[from_cell(cell) for cell in row] for row in rows] == [expected, expected]


def test_a_note_is_one_message(capsys: pytest.CaptureFixture[str]) -> None:
    note("one\x1b[2J\ntwo\n")
    assert capsys.readouterr().err == "one\\x1b[2J\ntwo\n"
