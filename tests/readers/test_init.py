"""`read_recording` and `list_variables`: which file, which reader, which channels."""

import os
from pathlib import Path

import numpy as np
import pytest

from faultdiag.errors import FaultdiagError
from faultdiag.readers.base import Variable
from faultdiag.readers.read import READERS, SUFFIXES, is_prose, list_variables, read_recording
from faultdiag.signal.recording import Recording
from tests.readers.samples import whole


def save(path: Path, **variables: object) -> Path:
    from scipy.io import savemat

    savemat(path, variables, oned_as="column")
    return path


@pytest.fixture
def healthy(tmp_path: Path) -> Path:
    ramp = np.arange(100.0)
    return save(tmp_path / "97.mat", X097_DE_time=ramp, X097_FE_time=-ramp, X097RPM=np.uint16(1796))


def test_every_row_names_a_reader_that_is_there(healthy: Path) -> None:
    assert {".mat", ".h5", ".csv", ".wav", ".npy", ".npz", ".tdms"} <= set(SUFFIXES)
    for suffix in SUFFIXES:
        assert suffix == suffix.lower()
        assert callable(READERS.get(suffix))
    assert {"variables", "source"} <= set(dir(READERS.get(".mat")(healthy)))


def test_all_channels_or_those_asked_for_in_their_order(healthy: Path) -> None:
    assert read_recording(healthy).channels == ("DE", "FE")
    assert read_recording(str(healthy), channel="FE").signal[0, 5] == -5
    both = read_recording(healthy, channel=["FE", "DE"])
    assert both.channels == ("FE", "DE")
    np.testing.assert_array_equal(both.signal[:, 7], [-7, 7])


def test_a_given_rate_fills_and_wins(healthy: Path, tmp_path: Path) -> None:
    assert read_recording(healthy).sampling_rate is None
    assert read_recording(healthy, sampling_rate=48000).sampling_rate == 48000
    stated = save(tmp_path / "u.mat", Data=np.arange(50.0), SampleFrequency=20000.0)
    assert read_recording(stated).sampling_rate == 20000
    assert read_recording(stated, sampling_rate=25600).sampling_rate == 25600
    with pytest.raises(FaultdiagError, match=r"u\.mat: sampling rate must be a positive number"):
        read_recording(stated, sampling_rate=0)


def test_the_suffix_may_be_in_capitals(healthy: Path) -> None:
    capital = healthy.rename(healthy.with_name("97.MAT"))
    assert isinstance(read_recording(capital), Recording)
    assert list_variables(capital)[0] == Variable("X097_DE_time", (100, 1), "double", "DE")


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        (["DE", "DE"], r"asked for are \[DE, DE\]; name at least one, and each one once"),
        ([], r"asked for are \[\]; name at least one"),
        ("BA", r"97\.mat has no channel 'BA'; it has: DE, FE"),
        ("DEE", r"has no channel 'DEE' \(did you mean 'DE'\?\); it has: DE, FE"),
    ],
)
def test_channels_that_cannot_be_read(healthy: Path, channel: str | list[str], said: str) -> None:
    with pytest.raises(FaultdiagError, match=said):
        read_recording(healthy, channel=channel)


def test_a_missing_file_names_the_nearest_one(healthy: Path) -> None:
    with pytest.raises(FaultdiagError, match=r"97\.mta does not exist \(did you mean '97\.mat'\?"):
        read_recording(healthy.with_name("97.mta"))
    with pytest.raises(FaultdiagError, match=r"nowhere/97\.mat does not exist$"):
        list_variables(healthy.parent / "nowhere" / "97.mat")


def test_what_is_no_file_with_content(tmp_path: Path) -> None:
    (tmp_path / "folder.mat").mkdir()
    with pytest.raises(FaultdiagError, match=r"folder\.mat is a folder; name one recording in it"):
        read_recording(tmp_path / "folder.mat")
    (tmp_path / "empty.mat").touch()
    with pytest.raises(FaultdiagError, match=r"empty\.mat is empty \(0 bytes\); copy or download"):
        read_recording(tmp_path / "empty.mat")
    os.mkfifo(tmp_path / "pipe.mat")
    with pytest.raises(FaultdiagError, match=r"pipe\.mat is a device or a pipe"):
        list_variables(tmp_path / "pipe.mat")


def test_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    for name, target in (("loop.mat", "loop.mat"), ("gone.csv", "nowhere.csv")):
        (tmp_path / name).symlink_to(target)
        with pytest.raises(FaultdiagError, match=rf"{name} is a symbolic link that leads nowhere"):
            read_recording(tmp_path / name)


@pytest.mark.parametrize("name", sorted(whole()))
def test_content_tells_more_than_the_suffix(tmp_path: Path, name: str) -> None:
    right = tmp_path / name
    right.write_bytes(whole()[name])
    expected = read_recording(right)
    for suffix in SUFFIXES:
        wrong = right.with_suffix(suffix)
        if name == "v4.mat" and suffix != ".mat":
            continue  # Its first four bytes are proof of nothing.
        wrong.write_bytes(whole()[name])
        np.testing.assert_array_equal(read_recording(wrong).signal, expected.signal)


def test_what_holds_no_table_is_prose(tmp_path: Path) -> None:
    for name, content, expected in (
        ("a.txt", b"On a Tuesday\n", True),
        ("labels.csv", b"path,label\n97.mat,N\n105.mat,IR\n", True),
        ("a.csv", b"1,2\n3,4\n", False),
        ("b.csv", b"\0\1\2", False),
        ("c.csv", b"", False),
        ("d.mat", b"On a Tuesday\n", False),
    ):
        (tmp_path / name).write_bytes(content)
        assert is_prose(tmp_path / name) is expected


@pytest.mark.parametrize(
    ("name", "found"), [("run.xls", r"the suffix '\.xls'"), ("run", "no suffix")]
)
def test_another_format_is_told_what_can_be_read(tmp_path: Path, name: str, found: str) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(FaultdiagError, match=rf"{name} has {found}; files that .* end in: .*\.mat"):
        read_recording(tmp_path / name)


def test_a_file_that_may_not_be_read(healthy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    for read in (read_recording, list_variables):
        with pytest.raises(FaultdiagError, match=r"97\.mat cannot be read: Permission denied"):
            read(healthy)


def test_a_variable_prints_as_name_dimensions_and_type() -> None:
    assert str(Variable("gs", (146484, 1), "double")) == "gs (146484×1 double)"
    assert str(Variable("t", (), "opaque")) == "t (opaque)"
