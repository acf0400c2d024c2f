"""LabVIEW measurement files: channels by name, their step from the header."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultdiag.arrays import Floats
from faultdiag.errors import FaultdiagError
from faultdiag.readers.read import open_recording, read_recording
from tests.readers.samples import signal

X = np.round(signal(), 6)[:300]
STEP = 1 / 12_800


def lvm(
    x_columns: str = "One",
    *,
    separator: str = "\t",
    comma: bool = False,
    steps: tuple[float, ...] = (STEP, STEP),
) -> str:
    """Return the text of a file; numbers with `separator` and a decimal comma where asked."""
    named = {"\t": "Tab", ",": "Comma", ";": "Semicolon"}[separator]
    head = [
        *("LabVIEW Measurement", "Writer_Version\t2", "Reader_Version\t2"),
        *(f"Separator\t{named}", f"Decimal_Separator\t{',' if comma else '.'}"),
        *("Multi_Headings\tNo", f"X_Columns\t{x_columns}", "Time_Pref\tRelative"),
        *("Date\t2024/05/17", "Time\t10:00:00.5", "***End_of_Header***", ""),
    ]
    body = [["Channels", "2", ""], ["Samples", "300", "300"], ["Date", "2024/05/17", ""]]
    body += [["X_Dimension", "Time", "Time"], ["X0", "0.0E+0", "0.0E+0"]]
    body += [["Delta_X", *(f"{step:.15E}" for step in steps)]]
    names = {
        "No": ["X_Value", "acc x", "acc y", "Comment"],
        "One": ["X_Value", "acc x", "acc y", "Comment"],
        "Multi": ["X_Value", "acc x", "X_Value", "acc y", "Comment"],
    }
    rows = [row_of(x_columns, i, x) for i, x in enumerate(X)]
    cells = [*body, ["***End_of_Header***", "", ""], names[x_columns], *rows]
    text = [separator.join(row) for row in cells]
    return "\r\n".join([*head, *(t.replace(".", ",") if comma else t for t in text), ""])


def row_of(x_columns: str, i: int, x: Floats) -> list[str]:
    time, first, second = f"{i * STEP:.6f}", f"{x[0]:.6f}", f"{x[1]:.6f}"
    if x_columns == "No":
        return ["", first, second]
    return [time, first, second] if x_columns == "One" else [time, first, time, second]


@given(
    x_columns=st.sampled_from(["No", "One", "Multi"]),
    way=st.sampled_from([("\t", False), ("\t", True), (",", False), (";", True)]),
    name=st.sampled_from(["a.lvm", "a.txt", "noname"]),
)
def test_x_columns_are_no_channels(
    tmp_path_factory: pytest.TempPathFactory, x_columns: str, way: tuple[str, bool], name: str
) -> None:
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(lvm(x_columns, separator=way[0], comma=way[1]).encode())
    recording = read_recording(path)
    assert (recording.channels, recording.sampling_rate) == (("acc x", "acc y"), 12_800)
    np.testing.assert_array_equal(recording.signal, X.T.astype(np.float32))


def test_a_comment_in_a_row(tmp_path: Path) -> None:
    path = tmp_path / "a.lvm"
    lines = lvm().split("\r\n")
    lines[30] += "\tstarted"
    path.write_text("\n".join(lines))
    assert open_recording(path).samples == len(X)


def test_channels_of_two_rates(tmp_path: Path) -> None:
    path = tmp_path / "a.lvm"
    path.write_text(lvm(steps=(STEP, 2 * STEP)))
    with pytest.raises(FaultdiagError, match=r"steps Delta_X 7\.8125e-05, 0\.00015625 s; save"):
        open_recording(path)


def test_a_second_segment_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.lvm"
    path.write_text(lvm() + "\nChannels\t2\n")
    with pytest.raises(FaultdiagError, match=r"a\.lvm: line \d+, which is 'Channels"):
        read_recording(path)


@pytest.mark.parametrize("cut", [30, 200, 300])
def test_a_header_that_ends_early(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a.lvm"
    path.write_text(lvm()[:cut])
    with pytest.raises(FaultdiagError, match=r"a\.lvm is a damaged or incomplete LabVIEW"):
        open_recording(path)
