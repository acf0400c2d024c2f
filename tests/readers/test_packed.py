"""gzip, zip, Excel, Parquet, UFF 58 and JSON beside a recording."""

import errno
import gzip
import importlib
import io
import json
import shlex
import shutil
import struct
import subprocess
import sys
import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pyarrow as pa
import pytest
import pyuff
from pyarrow import parquet

import faultdiag
from faultdiag.datasets.base import find_recordings
from faultdiag.datasets.folder import Folder
from faultdiag.datasets.manifest import Manifest
from faultdiag.errors import FaultdiagError
from faultdiag.readers import excel_rows
from faultdiag.readers.read import (
    is_recording,
    list_variables,
    open_recording,
    read_recording,
    recordings_in,
)
from tests.commands import refused, run
from tests.readers.samples import RATE, SAMPLES, csv, mat, npz, signal, wav

X = signal()


def packed(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", csv()),
        ("a.txt", csv()),
        ("a.wav", wav(X * 2**15, 16)),
        ("X105.mat", mat({"X105_DE_time": X[:, :1]})),
    ],
)
@pytest.mark.parametrize("way", ["gzip", "zip"])
def test_one_packed_recording(tmp_path: Path, name: str, content: bytes, way: str) -> None:
    plain = tmp_path / name
    plain.write_bytes(content)
    path = tmp_path / "packed" / (f"{name}.gz" if way == "gzip" else "run.zip")
    path.parent.mkdir()
    path.write_bytes(gzip.compress(content) if way == "gzip" else packed({f"d/{name}": content}))
    expected, found = read_recording(plain), read_recording(path)
    assert (found.channels, found.sampling_rate) == (expected.channels, expected.sampling_rate)
    np.testing.assert_array_equal(found.signal, expected.signal)
    assert found.source == path
    assert recordings_in(path.parent) == [path]


def test_a_bad_line_in_a_packed_file_names_it(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(csv() + b"0.1,x,2\n"))
    with pytest.raises(FaultdiagError, match=rf"packed|{path}: line 2002, which is '0\.1,x,2'"):
        read_recording(path)


def test_a_zip_of_several_recordings(tmp_path: Path) -> None:
    path = tmp_path / "runs.zip"
    files = {"a.csv": csv(), "b/b.npz": npz(packed=True, acc=X[:, 0]), "__MACOSX/a.csv": b"junk"}
    path.write_bytes(packed({**files, "read me.md": b"#", "._a.csv": b"junk"}))
    with pytest.raises(FaultdiagError, match=r"several signals \(a\.csv:x, a\.csv:y, b/b\.npz:acc"):
        read_recording(path)
    found = read_recording(path, channel="a.csv:x")
    assert (found.channels, found.sampling_rate, found.samples) == (("a.csv:x",), RATE, SAMPLES)
    with pytest.raises(FaultdiagError, match="are of several recordings; read one at a time"):
        read_recording(path, channel=["a.csv:x", "b/b.npz:acc"])
    assert not is_recording(path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.gz", gzip.compress(csv())[:-9], "is a damaged or incomplete gzip file"),
        ("a.csv.gz", b"\x1f\x8b and no more", "is a damaged or incomplete gzip file"),
        ("a.zip", packed({"a.md": b"x"}), "is a zip archive without a recording"),
        ("a.zip", packed({"a.csv": csv()})[:900], "is a damaged or incomplete"),
        (
            "bomb.csv.gz",
            gzip.compress(b"1,2\n" * (2**24 + 2**20), 1),
            "no measurement packs like that",
        ),
        ("a.xlsx", packed({"xl/workbook.xml": b"<"}), "is a damaged or incomplete Excel file"),
        ("a.parquet", b"PAR1 and no more", "is a damaged or incomplete Parquet file"),
        ("a.uff", b"    -1\n    58\n no\n", "a.uff"),
        ("a.unv", b"    -1\n   151\nx\n    -1\n", "a.unv"),
    ],
)
def test_broken_ones(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FaultdiagError, match=said):
        read_recording(path)


@pytest.mark.parametrize(("suffix", "member"), [(".zip", "a.csv"), (".npz", "a.npy")])
@pytest.mark.parametrize(
    ("method", "name"), [(zipfile.ZIP_BZIP2, "bzip2"), (zipfile.ZIP_LZMA, "LZMA"), (9, "deflate64")]
)
def test_other_ways_to_pack_are_named_and_no_damage(
    tmp_path: Path, method: int, name: str, suffix: str, member: str
) -> None:
    path = tmp_path / f"a{suffix}"
    content = bytearray(packed({member: csv()}))
    at = content.index(b"PK\1\2")
    content[at + 10 : at + 12] = struct.pack("<H", method)
    path.write_bytes(content)
    with pytest.raises(FaultdiagError) as caught:
        read_recording(path)
    expected = f"{path}: {member} is packed with {name}, which is not read; pack it with deflate"
    assert str(caught.value) == expected
    content[at + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(FaultdiagError, match=f"{member} is encrypted; pack it without a password$"):
        read_recording(path)


def excel(path: Path, rows: list[list[Any]]) -> Path:
    book = openpyxl.Workbook()
    book.active.append(["a note"])
    sheet = book.create_sheet("data")
    for row in rows:
        sheet.append(row)
    book.save(path)
    return path


def test_excel(tmp_path: Path) -> None:
    rows: list[list[Any]] = [["Sampling Rate (Hz)", RATE], ["acc", "state"]]
    rows += [[float(x), "ok"] for x in X[:200, 0]]
    path = excel(tmp_path / "a.xlsx", rows)
    found = read_recording(path)
    assert (found.channels, found.sampling_rate, found.samples) == (("acc",), RATE, 200)
    np.testing.assert_array_equal(found.signal[0], X[:200, 0].astype(np.float32))
    assert is_recording(path)
    assert not is_recording(excel(tmp_path / "list.xlsx", rows[:20]))
    rows[50] = [None, "ok"]
    with pytest.raises(FaultdiagError, match=r"a\.xlsx: line 51, which is"):
        read_recording(excel(tmp_path / "a.xlsx", rows))


def test_excel_with_numbers_after_many_sheets(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for i in range(120):
        book.create_sheet(f"note {i}").append(["a note"])
    sheet = book.create_sheet("data")
    for x in X[:50, 0]:
        sheet.append([float(x)])
    book.save(tmp_path / "a.xlsx")
    assert read_recording(tmp_path / "a.xlsx").samples == 50


def started_by(folder: Path, lines: str) -> str:
    """Return a program that is Python without its packages after these lines of a shell."""
    program = folder / "python"
    program.write_text(f'#!/bin/sh\n{lines} {sys.executable} -S "$@"\n')
    program.chmod(0o700)
    return str(program)


def test_excel_with_packages_that_only_sys_path_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = excel(tmp_path / "a.xlsx", [[float(x)] for x in X[:50, 0]])
    monkeypatch.setattr(sys, "executable", started_by(tmp_path, "exec"))
    assert read_recording(path).samples == 50


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("kill -9 $$;", "its sheets need more than 256 MB of memory or 2 s"),
        ("kill -ABRT $$;", "its sheets need more than 256 MB of memory or 2 s"),
        ("kill -TERM $$;", r"the process that reads Excel files failed \(exit code -15\)"),
        ("exit 0;", r"the process that reads Excel files failed \(exit code 0\)"),
        ("echo no such thing >&2; exit 9;", r"failed \(no such thing\); it is started with"),
        ("ulimit -f 1; exec", "a.xlsx is unpacked into .* no room: File too large; free some"),
    ],
)
def test_each_end_of_the_process_has_its_own_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: str, said: str
) -> None:
    path = excel(tmp_path / "a.xlsx", [[float(x)] for x in X[:200, 0]])
    monkeypatch.setattr(sys, "executable", started_by(tmp_path, lines))
    with pytest.raises(FaultdiagError, match=said):
        read_recording(path)


@pytest.mark.parametrize("program", ["", None, "/no/python"])
def test_an_interpreter_that_is_unknown_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str | None
) -> None:
    path = excel(tmp_path / "a.xlsx", [[1.0], [2.0]])
    monkeypatch.setattr(sys, "executable", program)
    with pytest.raises(FaultdiagError, match=f"in sys.executable, {program!r}; save the recording"):
        read_recording(path)


def test_the_program_tells_a_full_disk(tmp_path: Path) -> None:
    path = excel(tmp_path / "a.xlsx", [[1.0], [2.0]])
    words = [sys.executable, "-S", excel_rows.__file__, str(path), "/dev/full", "512", "9", "99999"]
    done = subprocess.run([*words, *sys.path], capture_output=True, text=True, check=False)
    assert done.returncode == excel_rows.NO_ROOM + errno.ENOSPC


def test_a_package_that_the_program_lacks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = excel(tmp_path / "a.xlsx", [[1.0], [2.0]])
    monkeypatch.setattr(sys, "executable", started_by(tmp_path, "exec"))
    importlib.import_module("python_calamine")
    monkeypatch.setattr(sys, "path", [p for p in sys.path if "site-packages" not in p])
    with pytest.raises(FaultdiagError, match="No module named 'python_calamine'"):
        read_recording(path)


def test_a_full_temporary_folder_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(csv()))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.csv").symlink_to("/dev/full")
    monkeypatch.setattr("faultdiag.readers.packed.mkdtemp", lambda prefix: str(tmp_path / "full"))
    with pytest.raises(FaultdiagError, match="finds no room: No space left on device; free some"):
        read_recording(path)


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    start = datetime(2024, 5, 17)
    stamps = [start + timedelta(microseconds=round(i * 1e6 / RATE)) for i in range(SAMPLES)]
    columns = {"x": X[:, 0], "y": X[:, 1].astype("f4"), "state": ["ok"] * SAMPLES}
    parquet.write_table(pa.table({**columns, "timestamp": stamps}), path)
    found = read_recording(path)
    assert (found.channels, found.sampling_rate) == (("x", "y"), RATE)
    np.testing.assert_array_equal(found.signal, X.T.astype(np.float32))
    table = pa.table(columns).replace_schema_metadata({"sampling_rate": "25600", "rpm": "1480"})
    parquet.write_table(table, path)
    source = open_recording(path, channel="y")
    assert (source.sampling_rate, source.rpm) == (25_600, 1480)
    np.testing.assert_array_equal(source.read(10, 20)[0], X[10:20, 1].astype(np.float32))
    parquet.write_table(pa.table({"x": [1.0, None, 2.0]}), path)
    with pytest.raises(FaultdiagError, match="column x has no value in row 2, and 1 are missing"):
        read_recording(path)


def test_constant_columns_are_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    constant = pa.array(np.ones(2**20))
    parquet.write_table(pa.table({f"tag{i}": constant for i in range(10)}), path)
    with pytest.raises(FaultdiagError, match=f"^{path} has .* of its channels would take 84 MB"):
        read_recording(path)
    expected = "more than the 67 MB that are read of a file of that size; choose one with channel="
    with pytest.raises(FaultdiagError, match=f"{expected}NAME$"):
        faultdiag.read_recording(path)
    assert read_recording(path, channel="tag3").signal.min() == 1


def uff(path: Path, functions: list[tuple[str, Any, float, int]]) -> Path:
    path.unlink(missing_ok=True)
    for name, data, step, kind in functions:
        one = {"type": 58, "id1": name, "func_type": kind, "data": data, "binary": 0}
        one |= {"x": np.arange(len(data)) * step, "abscissa_inc": step, "abscissa_spacing": 1}
        one |= {"orddenom_spec_data_type": 0, "ordinate_spec_data_type": 12}
        one |= {"rsp_node": 1, "rsp_dir": 3, "ref_node": 0, "ref_dir": 0}
        pyuff.UFF(str(path)).write_sets(one, "add")
    return path


def test_uff(tmp_path: Path) -> None:
    path = uff(
        tmp_path / "a.uff", [("acc x", X[:, 0], 1 / RATE, 1), ("acc y", X[:, 1], 1 / RATE, 1)]
    )
    found = read_recording(path)
    assert (found.channels, found.sampling_rate) == (("acc x", "acc y"), RATE)
    np.testing.assert_allclose(found.signal, X.T, atol=1e-4)
    uff(path, [("acc x", X[:, 0], 1 / RATE, 1), ("slow", X[:500, 1], 10 / RATE, 1)])
    with pytest.raises(FaultdiagError, match=r"several signals \(acc x, slow\); choose a channel"):
        read_recording(path)
    assert read_recording(path, channel="slow").sampling_rate == RATE / 10


def test_packages_that_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in ("python_calamine", "pyarrow.parquet", "pyuff"):
        monkeypatch.setitem(sys.modules, name, None)
    files = {
        "a.xlsx": (packed({"xl/workbook.xml": b""}), r"'faultdiag\[tables\]'"),
        "a.parquet": (b"PAR1", r"'faultdiag\[tables\]'"),
        "a.uff": (b"    -1\n    58\n", r"'faultdiag\[uff\]'"),
    }
    for name, (content, said) in files.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FaultdiagError, match=said):
            read_recording(tmp_path / name)


@pytest.mark.parametrize("name", ["a.json", "a.npy.json"])
def test_json_beside_a_recording(tmp_path: Path, name: str) -> None:
    np.save(tmp_path / "a.npy", X[:, 0])
    document = {"sensor": {"Sampling Rate [Hz]": RATE}, "machine": [{"rpm": 1480}], "ok": True}
    (tmp_path / name).write_text(json.dumps(document))
    found = read_recording(tmp_path / "a.npy")
    assert (found.sampling_rate, found.rpm) == (RATE, 1480)
    (tmp_path / name).write_text(json.dumps({"dt": 1 / 25_600}))
    assert read_recording(tmp_path / "a.npy").sampling_rate == 25_600
    (tmp_path / name).write_text("{")
    with pytest.raises(FaultdiagError, match=r"which lies beside a recording, is no JSON"):
        read_recording(tmp_path / "a.npy")


def test_what_the_file_states_wins_over_json(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(csv())
    (tmp_path / "a.json").write_text('{"fs": 999}')
    assert read_recording(tmp_path / "a.csv").sampling_rate == RATE


def test_a_folder_of_packed_recordings(tmp_path: Path) -> None:
    for name in ("N_1500", "IR_1480"):
        (tmp_path / f"{name}.csv.gz").write_bytes(gzip.compress(csv()))
    (tmp_path / "all.zip").write_bytes(packed({"a.csv": csv(), "b.csv": csv()}))
    entries = Folder(tmp_path, pattern="{code}_{rpm}").entries({}).entries
    assert [(e.facts["code"], e.rpm) for e in entries] == [("IR", 1480), ("N", 1500)]
    assert [v.channel for v in list_variables(entries[0].path)] == [None, "x", "y"]


def test_packages_that_are_damaged_or_not_one_recording_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.csv").write_bytes(csv())
    (tmp_path / "all.zip").write_bytes(packed({"a.csv": csv(), "b.csv": csv()}))
    (tmp_path / "docs.zip").write_bytes(packed({"a.md": b"x"}))
    for name in ("cut.zip", "cut.xlsx"):
        (tmp_path / name).write_bytes(b"PK\x03\x04 and no more")
    with caplog.at_level("INFO", logger="faultdiag"):
        found = recordings_in(tmp_path)
    assert [path.name for path in found] == ["a.csv"]
    assert "zip archives of several recordings: all.zip (2); unpack it into a" in caplog.text
    named = "damaged or without a readable recording: cut.xlsx, cut.zip, docs.zip"
    assert named in caplog.text


def unpacked_by(command: str) -> int:
    """Run the last shell words of a message, which unpack an archive, and return its status."""
    return subprocess.run(
        [sys.executable, *shlex.split(command)[1:]], capture_output=True, check=False
    ).returncode


def labelled_folder(root: Path) -> Path:
    """Write two classes of recordings, and an archive of two more of one class."""
    noise = np.random.default_rng(0).standard_normal(9000)
    for name in ("N/0", "N/1", "I/0", "I/1"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        np.savez(root / f"{name}.npz", acc=noise, fs=12_000.0)
    content = (root / "I/0.npz").read_bytes()
    (root / "I/more runs.zip").write_bytes(packed({"a.npz": content, "b.npz": content}))
    return root


def test_every_command_names_an_archive_of_several_recordings(
    tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    labelled_folder(tmp_path / "d")
    remedy = "python -m zipfile -e 'd/I/more runs.zip' 'd/I/more runs'"
    named = f"several recordings: more runs.zip (2); unpack it into a folder beside it: {remedy}"
    commands = [
        ["init", "--from", "d"],
        ["check", "--config", "d.yaml"],
        ["inspect", "d"],
        ["predict", str(trained), "d"],
    ]
    printed = {args[0]: run(*args) for args in commands}
    for name, result in printed.items():
        assert named in result.stdout + result.stderr, (name, result.stdout, result.stderr)
    assert unpacked_by(remedy) == 0
    files = ["I/0", "I/1", "I/more runs/a", "I/more runs/b", "N/0", "N/1"]
    assert [f"{name}.npz" for name in files] == find_recordings(Path("d"))


def test_a_folder_of_archives_alone_is_an_error_with_the_remedy(
    tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("d").mkdir()
    Path("d/all.zip").write_bytes(packed({"a.csv": csv(), "b.csv": csv()}))
    for args in (["init", "--from", "d"], ["inspect", "d"], ["predict", str(trained), "d"]):
        refused(run(*args), "d holds no recording; looked for files")
        refused(run(*args), "all.zip (2); unpack it into a folder beside it: python -m zipfile -e")
    shutil.copytree("d", "e")
    printed = run("predict", trained, "d", "e")
    assert printed.stderr.count("all.zip (2); unpack it into a folder beside it") == 2


def test_an_archive_of_several_in_a_manifest_or_excluded(tmp_path: Path) -> None:
    root = labelled_folder(tmp_path / "d")
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("path,label\nd/I/more runs.zip,I\nd/N/0.npz,N\n")
    with pytest.raises(FaultdiagError, match=r"runs\.zip: it holds 2 recordings; unpack it into"):
        Manifest(manifest).entries({})
    assert len(Folder(root).entries({}).notes) == 1
    assert Folder(root, exclude="*.zip").entries({}).notes == []
    assert Folder(root, glob="*.npz").entries({}).notes == []
