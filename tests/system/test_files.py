"""Files are written whole or not at all, and every failure names the file and a remedy."""

import errno
import json
import math
import os
import re
import urllib.error
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultdiag.errors import FaultdiagError
from faultdiag.system.files import (
    read,
    read_bytes,
    replacing,
    write_bytes,
    write_json,
    write_text,
)


def fail(number: int) -> NoReturn:
    raise OSError(number, os.strerror(number))


def interrupt(file: Path, error: BaseException) -> NoReturn:
    file.write_text("half")
    raise error


def test_text_is_written_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    write_text(path, "Außenring\r\n2\n")
    assert path.read_bytes() == "Außenring\r\n2\n".encode()
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "best.pt"
    path.write_bytes(b"old and longer")
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"


def test_the_temporary_file_lies_beside_with_the_same_suffix(tmp_path: Path) -> None:
    path = tmp_path / "signals.npy"
    with replacing(path) as temporary:
        temporary.write_bytes(b"x")
        assert (temporary.parent, temporary.suffix) == (tmp_path, ".npy")
        assert temporary != path
        assert not path.exists()
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with replacing(path) as one, replacing(path) as other:
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one"
    assert list(tmp_path.iterdir()) == [path]


def test_a_relative_path_is_taken_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_text(Path("a.txt"), "x")
    assert (tmp_path / "a.txt").read_text() == "x"


def test_the_umask_decides_who_may_read(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit])
def test_an_interruption_leaves_the_old_file_whole(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "metrics.json"
    path.write_text("old")
    with pytest.raises(error), replacing(path) as temporary:
        interrupt(temporary, error())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "No space left on device; free some space or choose another folder"),
        (errno.EDQUOT, "Disk quota exceeded; free some space or choose another folder"),
        (errno.EACCES, "Permission denied; choose a folder you may write to"),
        (errno.EROFS, "Read-only file system; choose a folder you may write to"),
        (errno.EIO, "Input/output error; choose another folder"),
    ],
)
def test_a_failed_write_names_file_reason_and_remedy(
    tmp_path: Path, number: int, remedy: str
) -> None:
    path = tmp_path / "metrics.json"
    path.write_text("old")
    message = f"cannot write {path}: {remedy}; nothing was changed"
    with pytest.raises(FaultdiagError, match=f"^{re.escape(message)}$"), replacing(path) as file:
        interrupt(file, OSError(number, os.strerror(number)))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_of_the_last_steps_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "metrics.json"
    path.write_text("old")
    if step == "fsync":
        monkeypatch.setattr(os, "fsync", lambda _: fail(errno.ENOSPC))
    else:
        monkeypatch.setattr(Path, "replace", lambda *_: fail(errno.EACCES))
    with pytest.raises(FaultdiagError, match="nothing was changed"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_numpys_short_write_is_a_full_disk(tmp_path: Path) -> None:
    error = OSError("131072 requested and 0 written")
    with (
        pytest.raises(FaultdiagError, match="No space left on device; free some space"),
        replacing(tmp_path / "signals.npy"),
    ):
        raise error


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="the system has no /dev/full")
def test_a_full_device_is_told_and_left_in_place() -> None:
    with pytest.raises(FaultdiagError, match="cannot write /dev/full: No space left on device"):
        write_text(Path("/dev/full"), "x")
    assert Path("/dev/full").is_char_device()


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_text(pipe, "row\n")
        assert os.read(reader, 100) == b"row\n"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "a.txt", tmp_path / "a.txt"
    target.write_text("old")
    link.symlink_to(target)
    write_text(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "a.csv"
    message = f"cannot write {path}: No such file or directory; make its folder first"
    with pytest.raises(FaultdiagError, match=re.escape(message)):
        write_text(path, "x")


def test_a_folder_is_told(tmp_path: Path) -> None:
    message = f"cannot write {tmp_path}: Is a directory; that is a folder; name a file"
    with pytest.raises(FaultdiagError, match=re.escape(message)):
        write_text(tmp_path, "x")
    assert list(tmp_path.parent.glob(".writing-*")) == []


def test_a_file_as_folder_and_a_long_name_are_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(FaultdiagError, match="Not a directory; choose a folder that exists"):
        write_text(tmp_path / "file" / "a.txt", "x")
    with pytest.raises(FaultdiagError, match="File name too long; choose a shorter name"):
        write_text(tmp_path / ("a" * 300), "x")


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file or directory", "other.mat"),
        ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
        urllib.error.URLError("name or service not known"),
    ],
)
def test_errors_of_other_files_and_of_the_network_pass_unchanged(
    tmp_path: Path, error: OSError
) -> None:
    with pytest.raises(type(error)) as raised, replacing(tmp_path / "a.mat"):
        raise error
    assert raised.value is error
    assert list(tmp_path.iterdir()) == []


json_values: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(document=json_values)
def test_json_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, document: object
) -> None:
    path = tmp_path_factory.getbasetemp() / "document.json"
    write_json(path, document)
    text = path.read_text(encoding="utf-8")
    assert json.loads(text) == document
    assert text.endswith("\n")


def test_a_file_name_that_is_not_utf8_comes_back(tmp_path: Path) -> None:
    name = os.fsdecode(b"lager\xfc.mat")
    write_json(tmp_path / "a.json", {"path": name})
    assert json.loads((tmp_path / "a.json").read_bytes()) == {"path": name}
    write_text(tmp_path / "a.txt", name)
    assert (tmp_path / "a.txt").read_bytes() == b"lager\\udcfc.mat"


def test_json_is_indented_in_its_own_order_and_readable(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"z": 1, "a": "Außenring"})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert text == '{\n  "z": 1,\n  "a": "Außenring"\n}\n'


@pytest.mark.parametrize(
    ("value", "error"), [(math.nan, ValueError), (math.inf, ValueError), ({1, 2}, TypeError)]
)
def test_what_json_lacks_is_refused_before_anything_is_written(
    tmp_path: Path, value: object, error: type[Exception]
) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    with pytest.raises(error, match="JSON"):
        write_json(path, {"value": value})
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_device_is_not_read_a_pipe_is_not_waited_for_and_a_bound_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="it is a device, no file"):
        read_bytes(Path("/dev/zero"))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="it is a pipe that nobody writes to"):
        read_bytes(pipe)
    with pytest.raises(FaultdiagError, match=f"cannot read {pipe}: it is a pipe that nobody"):
        read(pipe)
    number = os.open(pipe, os.O_RDWR)
    os.write(number, b"seed: 0")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    os.close(number)
    assert read_bytes(pipe) == b"seed: 0"
    os.close(reader)
    (tmp_path / "a.txt").write_bytes(b"abc")
    assert read_bytes(tmp_path / "a.txt", 3) == b"abc"
    named = re.escape(f"{tmp_path / 'a.txt'} has more than 2 bytes")
    with pytest.raises(FaultdiagError, match=f"^{named}"):
        read_bytes(tmp_path / "a.txt", 2)
