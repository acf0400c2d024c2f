"""No sample is dropped or invented in silence; clocks are known by what they do."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultdiag.errors import FaultdiagError
from faultdiag.readers import mixed
from faultdiag.readers.read import list_variables, open_recording, read_recording

SEPARATORS = st.sampled_from([",", ";", "\t", " "])
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False, width=32).map(lambda x: f"{x:.5f}")
MISSING = [
    *("#N/A", "#DIV/0!", "#NV", "#VALUE!", "n/a", "NA", "null", "-", "?", "", "#REF!", "#VALEUR!"),
    *("#¡DIV/0!", "<NA>", "NaT", "n. a.", "k.A.", "(null)", "1.#QNAN", "-nan(ind)", "**", "缺失"),
    *("Over Range", "#1.5"),
]


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
    if (not bad and len(rows[0]) == 1) or (separator == " " and (not bad or " " in bad)):
        return
    # Above the first number of one column anything may stand.
    at = max(place % len(rows), len(rows[0]) == 1)
    rows = [list(row) for row in rows]
    rows[at][0] = bad
    path.write_text("".join(separator.join(row) + "\n" for row in rows))
    with pytest.raises(FaultdiagError, match=rf"line {at + 1}, which is"):
        read_recording(path)


@pytest.mark.parametrize("bad", ["defekt", "x", "hors service", "#¡VALOR!", "超量程"])
@pytest.mark.parametrize("cells", [1, 2, 3])
@pytest.mark.parametrize("at", [0, 1])
def test_any_text_in_the_first_rows_is_named(path: Path, bad: str, cells: int, at: int) -> None:
    rows = [[f"{i * 7 % 11}.{1000 + i}"] * cells for i in range(20)]
    rows[at][0] = bad
    lines = [";".join(row) for row in rows]
    header = ";".join(f"c{i}" for i in range(cells))
    path.write_text("\n".join([header, *lines]), encoding="utf-8")
    if cells == 1 and at == 0 and not bad.startswith("#"):
        # It may be a second header.
        assert open_recording(path).samples == 19
        return
    with pytest.raises(FaultdiagError, match=rf"line {at + 2}, which is"):
        read_recording(path)


def test_values_that_stand_above_a_header_are_no_rows(path: Path) -> None:
    path.write_text("Sensitivity;0.1021\nRange;50\nZeit;acc\n0.0000;1.2501\n0.0001;1.5000\n")
    assert read_recording(path).samples == 2


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


@given(
    values=st.lists(NUMBERS, min_size=5, max_size=40),
    place=st.integers(1, 38),
    blank=st.sampled_from(["", " ", "\t"]),
    end=st.sampled_from(["\n", "\r\n"]),
)
@settings(max_examples=60)
def test_a_blank_line_in_one_column_is_named(
    path: Path, values: list[str], place: int, blank: str, end: str
) -> None:
    at = 1 + place % (len(values) - 1)
    lines = [*values[:at], blank, *values[at:]]
    path.write_text(end.join(["acc", *lines]), newline="")
    with pytest.raises(FaultdiagError, match=rf"line {at + 2} is blank between lines of numbers"):
        read_recording(path)


@pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n", "\r\r\n"])
def test_a_blank_line_below_each_row_is_a_way_of_writing(path: Path, end: str) -> None:
    values = [f"{i}.5" for i in range(90)]
    path.write_bytes(end.join([*values, ""]).encode())
    assert open_recording(path).samples == 90
    values.insert(70, "")
    path.write_bytes(end.join([*values, ""]).encode())
    with pytest.raises(FaultdiagError, match="is blank between lines of numbers"):
        read_recording(path)


def test_blank_lines_in_a_later_block(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faultdiag.readers.text._BLOCK_BYTES", 100)
    path.write_text("1.25\n" * 60 + "\n" + "1.5\n" * 9)
    with pytest.raises(FaultdiagError, match="line 61 is blank between"):
        read_recording(path)
    path.write_text("1.25\n" * 60 + "\n\n\n")
    assert open_recording(path).samples == 60


def test_a_row_of_tabs_is_named(path: Path) -> None:
    path.write_text("1.5\t2.5\n3.5\t4.5\n\t\n5.5\t6.5\n")
    with pytest.raises(FaultdiagError, match="line 3"):
        read_recording(path)


def test_a_last_name_that_is_empty(path: Path) -> None:
    path.write_text("a,b,\n1.5,2.5,3.5\n4.5,5.5,6.5\n")
    assert read_recording(path).channels == ("a", "b", "ch3")


START = datetime(2024, 2, 28, 23, 59, 59, 995_000)
STAMPS = {
    "iso": lambda t: t.isoformat(timespec="microseconds"),
    "zone": lambda t: t.isoformat(timespec="microseconds") + "+01:00",
    "utc": lambda t: t.isoformat(" ", timespec="microseconds") + "Z",
    "day first": lambda t: t.strftime("%d.%m.%Y %H:%M:%S.%f"),
    "slashes": lambda t: t.strftime("%Y/%m/%d %H:%M:%S.%f"),
    "american": lambda t: t.strftime("%m/%d/%Y %I:%M:%S.%f %p"),
    "comma": lambda t: t.strftime("%d.%m.%Y %H:%M:%S,%f"),
    "time": lambda t: t.strftime("%H:%M:%S.%f"),
    "minutes": lambda t: t.strftime("%M:%S.%f"),
}


@given(
    stamp=st.sampled_from(sorted(STAMPS)),
    rate=st.sampled_from([1000, 2500, 12_800, 25_600]),
    name=st.sampled_from(["timestamp", "Zeit", "时间", "Datum", ""]),
    way=st.tuples(st.sampled_from([";", "\t"]), st.integers(0, 1)),
)
@settings(max_examples=40)
def test_times_of_the_day(
    path: Path, stamp: str, rate: int, name: str, way: tuple[str, int]
) -> None:
    separator, place = way
    rows = []
    for i in range(200):
        row = [f"{(i * 37) % 101}.25"]
        row.insert(place, STAMPS[stamp](START + timedelta(microseconds=round(i / rate * 1e6))))
        rows.append(separator.join(row))
    header = ["acc"]
    header.insert(place, name)
    path.write_text("\n".join([separator.join(header), *rows]), encoding="utf-8")
    recording = open_recording(path)
    assert (recording.channels, recording.samples) == (("acc",), len(rows))
    assert recording.sampling_rate == rate


def test_two_rows_with_iso_times(path: Path) -> None:
    path.write_text(
        "timestamp,acc\n2024-05-17T10:00:00.000000,0.1\n2024-05-17T10:00:00.000078,0.2\n"
    )
    recording = read_recording(path)
    assert recording.signal.tolist() == [[np.float32(0.1), np.float32(0.2)]]
    assert recording.sampling_rate == 12_800


def test_uneven_times_of_the_day(path: Path) -> None:
    seconds = [0, 1, 2, 5, 6, 7, 8, 9]
    path.write_text("t;a\n" + "".join(f"10:00:0{s}.000;{s}.5\n" for s in seconds))
    with pytest.raises(FaultdiagError, match="times in column t are not evenly spaced"):
        read_recording(path)


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_column_of_text_is_named_and_no_channel(path: Path, separator: str, place: int) -> None:
    rows = []
    for i in range(40):
        row = [f"{i * 7 % 11}.5", f"{i * 5 % 13}.25"]
        row.insert(place, "ok" if i < 30 else "worn")
        rows.append(separator.join(row))
    header = ["a", "b"]
    header.insert(place, "state")
    path.write_text("\n".join([separator.join(header), *rows]))
    assert read_recording(path).channels == ("a", "b")
    assert [v.kind for v in list_variables(path) if v.name == "state"] == ["text"]
    path.write_text("\n".join([separator.join(header), *rows, rows[0].replace(".", "x")]))
    with pytest.raises(FaultdiagError, match=r"line 42, .* 3 cells \("):
        read_recording(path)


@given(
    values=st.lists(st.lists(NUMBERS, min_size=80, max_size=90), min_size=1, max_size=4),
    separator=st.sampled_from([",", ";", "\t", " "]),
    named=st.booleans(),
)
@settings(max_examples=40)
def test_one_row_of_samples(path: Path, values, separator: str, named: bool) -> None:
    rows = [row[:80] for row in values]
    lead = [["acc"] if named else [] for _ in rows]
    path.write_text("\n".join(separator.join([*n, *r]) for n, r in zip(lead, rows, strict=True)))
    recording = read_recording(path)
    assert recording.samples == 80
    np.testing.assert_array_equal(recording.signal, np.array(rows, np.float32))


def test_one_row_with_something_else(path: Path) -> None:
    path.write_text(",".join(["1.5"] * 100) + ",x,2.5\n")
    with pytest.raises(FaultdiagError, match="row 1 must hold 102 numbers; fix or"):
        read_recording(path)


_CELLS = {
    "number": st.decimals(-99, 99, places=3).map(str),
    "clock": st.integers(0, 59).map("10:20:{:02}".format),
    "state": st.sampled_from(["run", "stop", ""]),
    "name": st.integers(0, 10**9).map("f{:x}".format),
    "any": st.sampled_from(["1", "1.5", "a", "00:01:02", "nan", ""]),
}


@given(kinds=st.lists(st.sampled_from(sorted(_CELLS)), min_size=1, max_size=5), data=st.data())
@settings(max_examples=100, deadline=None)
def test_a_table_is_ruled_out_early_only_where_it_is_none(
    kinds: list[str], data: st.DataObject
) -> None:
    row = st.tuples(*(_CELLS[kind] for kind in kinds))
    rows = data.draw(st.lists(row, min_size=1, max_size=14))
    early = mixed.column_kinds(rows, decimal_comma=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mixed, "_may_be_table", lambda *_: True)
        assert mixed.column_kinds(rows, decimal_comma=False) == early
