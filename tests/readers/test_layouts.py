"""What arrays of a file are: windows with labels, matrices named after their files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultdiag.errors import FaultdiagError
from faultdiag.readers.read import list_variables, read_recording
from tests.readers.samples import mat, npz

RNG = np.random.default_rng(0)


def save(folder: Path, name: str, arrays: dict[str, Any]) -> Path:
    path = folder / name
    path.write_bytes(mat(arrays) if name.endswith(".mat") else npz(packed=False, **arrays))
    return path


@given(
    names=st.sampled_from(
        [("X", "y"), ("data", "label"), ("signals", "c"), ("x_train", "targets")]
    ),
    suffix=st.sampled_from([".mat", ".npz"]),
    count=st.integers(40, 500),
    length=st.sampled_from([64, 1024, 2048]),
    upright=st.booleans(),
    channels=st.sampled_from([None, 2]),
)
@settings(max_examples=40, deadline=None)
def test_windows_with_labels_are_no_recording(
    tmp_path_factory: pytest.TempPathFactory,
    *,
    names: tuple[str, str],
    suffix: str,
    count: int,
    length: int,
    upright: bool,
    channels: int | None,
) -> None:
    if count == length:
        return
    shape = (count, length) if channels is None else (count, length, channels)
    labels = np.arange(count) % 4
    arrays = {
        names[0]: RNG.standard_normal(shape),
        names[1]: labels[:, None] if upright else labels,
    }
    path = save(tmp_path_factory.getbasetemp(), f"w{suffix}", arrays)
    said = (
        rf"holds {count} windows of {length} samples \({names[0]}\) with a label each \({names[1]}"
    )
    with pytest.raises(FaultdiagError, match=said):
        read_recording(path)
    assert all(variable.channel is None for variable in list_variables(path))


@pytest.mark.parametrize("stem", ["H_1_0", "IR-007 2", "B_2"])
@pytest.mark.parametrize("suffix", [".mat", ".npz"])
def test_a_matrix_named_after_its_file(tmp_path: Path, stem: str, suffix: str) -> None:
    table = RNG.standard_normal((4000, 5))
    name = stem.replace("-", "_").replace(" ", "_")
    recording = read_recording(save(tmp_path, f"{stem}{suffix}", {name: table}))
    assert recording.channels == ("ch1", "ch2", "ch3", "ch4", "ch5")
    np.testing.assert_array_equal(recording.signal, table.T.astype(np.float32))
    other = read_recording(save(tmp_path, f"other{suffix}", {"Data": table}))
    assert other.channels[0] == "Data_1"
