"""No sample is dropped or invented in silence; clocks are known by what they do."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultdiag.errors import FaultdiagError
from faultdiag.readers.read import open_recording, read_recording

SEPARATORS = st.sampled_from([",", ";", "\t", " "])
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False, width=32).map(lambda x: f"{x:.5f}")
MISSING = ["#N/A", "#DIV/0!", "#NV", "#VALUE!", "n/a", "NA", "null", "-", "?", "", "#REF!"]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rows") / "a.csv"


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, list[list[str]]]:
    columns = draw(st.integers(1, 4))
    rows = draw(st.lists(st.lists(NUMBERS, min_size=columns, max_size=columns), min_size=5))
    return draw(SEPARATORS), rows


HEADERS = [
    lambda names: names,
    lambda names: [str(i) for i in range(len(names))],
    lambda names: [str(i + 1) for i in range(len(names))],
    None,
]


@given(table=tables(), header=st.sampled_from(HEADERS), trailing=st.booleans())
@settings(max_examples=150, deadline=None)
def test_as_many_samples_as_rows(path: Path, table, header, trailing: bool) -> None:
    separator, rows = table
    lines = [separator.join(row) for row in rows]
    if header is not None:
        lines.insert(0, separator.join(header([f"c{i}" for i in range(len(rows[0]))])))
    end = separator if trailing and separator != " " else ""
    path.write_text("".join(f"{line}{end}\n" for line in lines))
    assert open_recording(path).samples == len(rows)


@given(table=tables(), bad=st.sampled_from(MISSING), place=st.integers(0, 100))
@settings(max_examples=150, deadline=None)
def test_a_missing_number_is_named_by_its_line(path: Path, table, bad: str, place: int) -> None:
    separator, rows = table
    if len(rows[0]) == 1 or (separator == " " and not bad):
        return
    at = place % len(rows)
    rows = [list(row) for row in rows]
    rows[at][0] = bad
    path.write_text("".join(separator.join(row) + "\n" for row in rows))
    with pytest.raises(FaultdiagError, match=rf"line {at + 1}, which is"):
        read_recording(path)


@pytest.mark.parametrize("remark", ["# pause", "% sensor moved", "// second half", "#"])
def test_a_remark_between_rows_is_no_row(path: Path, remark: str) -> None:
    path.write_text(f"a,b\n1.5,2.5\n{remark}\n3.5,4.5\n5.5,6.5\n")
    assert read_recording(path).samples == 3


@pytest.mark.parametrize("value", [".", "..", "1.2.3", "-", ""])
def test_a_header_value_that_is_no_number(path: Path, value: str) -> None:
    path.write_text(f"Decimal_Separator\t{value}\nfs\t12000\n1.5\n2.5\n")
    assert read_recording(path).samples == 2


CLOCKS = [
    ("Time (seconds)", 1.0, 6, True),
    ("time_us", 1e6, 0, True),
    ("micros", 1e6, 0, True),
    ("millis", 1e3, 4, True),
    ("Zeit [ms]", 1e3, 4, True),
    ("时间(秒)", 1.0, 7, True),
    ("Время, с", 1.0, 7, True),
    ("temps (secondes)", 1.0, 7, True),
    ("stamp", 1.0, 6, False),
    ("列1", 1.0, 6, False),
]


@given(
    clock=st.sampled_from(CLOCKS),
    rate=st.sampled_from([5000, 10_000, 12_000, 12_800, 25_600, 48_000]),
    separator=st.sampled_from([";", "\t"]),
    place=st.integers(0, 1),
)
@settings(max_examples=60, deadline=None)
def test_a_clock_is_no_channel(path: Path, clock, rate: int, separator: str, place: int) -> None:
    name, unit, digits, stated = clock
    x = np.random.default_rng(rate).standard_normal(3000)
    rows = []
    for i, value in enumerate(x):
        row = [f"{value:.5f}"]
        row.insert(place, f"{i / rate * unit:.{digits}f}")
        rows.append(separator.join(row))
    header = ["acc"]
    header.insert(place, name)
    path.write_text("\n".join([separator.join(header), *rows]), encoding="utf-8")
    recording = open_recording(path)
    assert recording.channels == ("acc",)
    assert recording.sampling_rate == (rate if stated else None)


@pytest.mark.parametrize("digits", [4, 5, 6, 9])
def test_a_clock_without_a_name_in_few_digits(path: Path, digits: int) -> None:
    x = np.random.default_rng(0).standard_normal(5000)
    path.write_text("\n".join(f"{i / 10_000:.{digits}g},{v:.5g}" for i, v in enumerate(x)))
    recording = open_recording(path)
    assert (recording.channels, recording.sampling_rate) == (("ch1",), 10_000)
