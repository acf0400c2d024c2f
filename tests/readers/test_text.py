"""Text files as recordings: separators, decimal commas, headers, units, times."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultdiag.errors import FaultdiagError
from faultdiag.readers.read import list_variables, open_recording, read_recording
from faultdiag.readers.text import TextBlocks
from tests.readers.samples import RATE, SAMPLES, csv, signal

X = np.round(signal(), 6)


def write(folder: Path, text: str | bytes, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def table(separator: str, *, comma: bool = False, end: str = "\n", time: bool = False) -> str:
    rows = []
    for i, row in enumerate(X):
        cells = [f"{i / RATE:.6f}"] * time + [f"{value:.6f}" for value in row]
        line = separator.join(cells)
        rows.append(line.replace(".", ",") if comma else line)
    return end.join(rows) + end


@pytest.mark.parametrize(
    ("text", "channels", "rate"),
    [
        (table(","), ("ch1", "ch2"), None),
        (table(";"), ("ch1", "ch2"), None),
        (table("\t"), ("ch1", "ch2"), None),
        (table("   "), ("ch1", "ch2"), None),
        ("  " + table(" ", end="\n  "), ("ch1", "ch2"), None),
        (table(";", comma=True), ("ch1", "ch2"), None),
        (table(" ", comma=True), ("ch1", "ch2"), None),
        ("Zeit;A;B\n" + table(";", comma=True, time=True), ("A", "B"), 12_000),
        ("\ufefft,a,b\r\n" + table(",", end="\r\n", time=True), ("a", "b"), 12_000),
        ("t,a,b\r" + table(",", end="\r", time=True), ("a", "b"), 12_000),
        ("t;a;b;\n" + table(";", end=";\n", time=True), ("a", "b"), 12_000),
        ("# time, a, b\n# fs = 1\n" + table(" ", time=True), ("a", "b"), 12_000),
        ("Time;A;\n[s];[g];[mV]\n" + table(";", time=True), ("A [g]", "ch2"), 12_000),
        ("Time;A;B\n[s];[g];[mV]\n" + table(";", time=True), ("A [g]", "B [mV]"), 12_000),
        ("Sampling Rate (Hz): 25600\n\na,b\n" + table(","), ("a", "b"), 25_600),
        ("% fs = 25.6 kHz\n" + table(","), ("ch1", "ch2"), 25_600),
        ("fs;12.8\na;b\n" + table(";"), ("a", "b"), None),
        ("x,x\n" + table(","), ("x", "x_2"), None),
        ('"x","y"\n"' + table('","', end='"\n"')[:-1], ("x", "y"), None),
        (table(",").replace("\n", "\n% pause\n\n", 3), ("ch1", "ch2"), None),
        (table(",")[:-1], ("ch1", "ch2"), None),
        (table(",", time=True), ("ch1", "ch2"), 12_000),
        ("t_ms;a;b\n" + "".join(f"{i};{a};{b}\n" for i, (a, b) in enumerate(X)), ("a", "b"), 1000),
        (",a,b\n" + "".join(f"{i},{a},{b}\n" for i, (a, b) in enumerate(X)), ("a", "b"), None),
    ],
)
def test_ways_of_keeping_numbers(
    tmp_path: Path, text: str, channels: tuple[str, ...], rate: float | None
) -> None:
    recording = read_recording(write(tmp_path, text))
    assert recording.channels == channels
    assert recording.sampling_rate == rate
    np.testing.assert_array_equal(recording.signal, X.T.astype(np.float32))


def test_decimal_commas_in_one_column(tmp_path: Path) -> None:
    column = "".join(f"{value:.6f}\n".replace(".", ",") for value in X[:, 0])
    quoted = "".join(f'"{a}","{b}"\n'.replace(".", ",") for a, b in X)
    for text, expected in ((column, X[:, :1]), ("acc\n" + column, X[:, :1]), (quoted, X)):
        found = read_recording(write(tmp_path, text)).signal
        np.testing.assert_array_equal(found, expected.T.astype(np.float32))


def test_two_columns_of_whole_numbers(tmp_path: Path) -> None:
    text = "".join(f"{i % 7},{i % 50 - 25}\n" for i in range(100))
    assert read_recording(write(tmp_path, text)).signal.tolist() == [
        [i % 7 for i in range(100)],
        [i % 50 - 25 for i in range(100)],
    ]


def test_columns_are_listed_with_what_they_become(tmp_path: Path) -> None:
    path = write(tmp_path, csv())
    assert [(str(v), v.channel) for v in list_variables(path)] == [
        (f"time ({SAMPLES} number)", None),
        (f"x ({SAMPLES} number)", "x"),
        (f"y ({SAMPLES} number)", "y"),
    ]
    with pytest.raises(FaultdiagError, match=r"a\.csv has no channel 'X' \(did you mean 'x'\?\);"):
        read_recording(path, channel="X")
    assert read_recording(path, channel=["y", "x"]).channels == ("y", "x")


def test_a_speed_above_the_numbers(tmp_path: Path) -> None:
    assert read_recording(write(tmp_path, "rpm: 1797\n" + table(","))).rpm == 1797


@given(
    values=st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=2),
    separator=st.sampled_from([",", ";", "\t", " "]),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, values: list[float], separator: str
) -> None:
    lines = [f"{value!r}{separator}{-value!r}" for value in values]
    text = "\n".join(["a" + separator + "b", *lines])
    path = write(tmp_path_factory.getbasetemp(), text, "law.txt")
    np.testing.assert_array_equal(
        read_recording(path).signal, np.array([values, values], np.float32) * [[1], [-1]]
    )


def test_blocks_are_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "# note\ntime,x,y\n" + table(",", end="\r\n", time=True).replace("\r\n", "\r\n\r\n", 400)
    path = write(tmp_path, text)
    whole = read_recording(path)
    monkeypatch.setattr("faultdiag.readers.text._BLOCK_BYTES", 1000)
    source = open_recording(path)
    assert source.samples == SAMPLES
    np.testing.assert_array_equal(source.read(), whole.signal)
    np.testing.assert_array_equal(source.read(777, 1555), whole.signal[:, 777:1555])
    assert source.sampling_rate == RATE


def test_a_bad_line_is_named_wherever_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faultdiag.readers.text._BLOCK_BYTES", 1000)
    lines = csv().decode().splitlines()
    lines[1500] = "0.1249167,0.5;0.1,3"
    said = (
        r"a\.csv: line 1501, which is '0.1249167,0.5;0.1,3'; every line from line 2 on must hold "
        r"3 numbers with ',' between them: fix or delete it"
    )
    with pytest.raises(FaultdiagError, match=said):
        read_recording(write(tmp_path, "\n".join(lines)))


def test_a_table_that_grows_a_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faultdiag.readers.text._BLOCK_BYTES", 1000)
    path = write(tmp_path, "1.5,2.5\n" * 125 + "1,2,3\n" * 500)
    with pytest.raises(FaultdiagError, match="line 126, which is '1,2,3'; every line from line 1"):
        read_recording(path)


def test_a_line_longer_than_a_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "1,2\n3,4\n" + "5" * 5000)
    monkeypatch.setattr("faultdiag.readers.text._BLOCK_BYTES", 1000)
    with pytest.raises(FaultdiagError, match=r"a\.csv has a line of more than 1000 characters; wr"):
        read_recording(path)


def times(values: list[float]) -> str:
    return "time,x\n" + "".join(f"{t:.7f},{i % 5}\n" for i, t in enumerate(values))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            times([0.001 * i + 0.0002 * (i % 2) for i in range(99)]),
            r"the times in column time are not evenly spaced: its steps range from 0\.0008 s to "
            r"0\.0012 s, around 0\.001 s; resample the signal to a constant step, or take",
        ),
        (times([0.0] * 9), "it does not increase at sample 1; resample"),
        (times([0.001 * i for i in range(99)] + [float("nan")]), "not all of them are finite"),
        ("t,x\n" + "1,\n" + "2,3\n" * 9, r"line 2, which is '1,'; every line from line 2 on must"),
        ("a word\n", r"holds no table of numbers: at least two lines .* first line is 'a word'"),
        (csv().decode().encode("utf-16"), "is text in UTF-16; save it as UTF-8"),
        (b"1,2\n3,\x004\n", "is no text: it begins with b'1,2"),
    ],
)
def test_text_that_is_refused(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(FaultdiagError, match=rf"a\.csv.*{said}"):
        read_recording(write(tmp_path, text))


def test_a_gap_far_from_the_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faultdiag.readers.text._BLOCK_BYTES", 1000)
    path = write(tmp_path, times([0.001 * i + 5 * (i > 1500) for i in range(2000)]))
    with pytest.raises(FaultdiagError, match=r"should end at 1\.999 s, it ends at 6\.999 s"):
        open_recording(path)


def test_text_under_another_suffix(tmp_path: Path) -> None:
    for name in ("ascii.mat", "2003.10.22.12.06.24", "noname"):
        assert read_recording(write(tmp_path, table("\t"), name)).channels == ("ch1", "ch2")


def test_counting_the_rows_parses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError

    path = write(tmp_path, "x,y\n" + table(","))
    source = open_recording(path, channel="y")
    monkeypatch.setattr(TextBlocks, "numbers", refuse)
    assert source.samples == SAMPLES
    with pytest.raises(AssertionError):
        source.read(0, 1)
