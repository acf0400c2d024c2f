"""A recording costs what its size justifies: small designed files are read or refused at once."""

import importlib
import io
import json
import re
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from faultdiag.errors import FaultdiagError
from faultdiag.readers.read import list_variables, read_recording
from tests.readers.broken_packed import sheet, zipped
from tests.readers.samples import npz, riff, signal
from tests.readers.test_lvm import lvm

SECONDS = 5.0  # of a busy machine; 2 s on an idle one
KILOBYTES = 200_000


def in_hdf5(fill: Callable[[h5py.File], object], *, late: bool = False) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w", **({"libver": "latest"} if late else {})) as root:
        fill(root)
    return file.getvalue()


def circles(root: h5py.File) -> None:
    for i in range(8):
        root[f"hard{i}"] = root["/"]
        root[f"soft{i}"] = h5py.SoftLink("/")
    root["x"] = signal()


def ladder(root: h5py.File) -> None:
    """Two links to the next group on each step: twice as many paths each."""
    group = root
    for i in range(6):
        below = group.create_group("a")
        for k in range(20):
            group[f"b{k}"] = below
        group = below
        group[f"x{i}"] = np.arange(3)


def empty_of_millions(root: h5py.File) -> None:
    made = root.create_dataset("x", (10**8,), "u8", chunks=(10**6,))
    made.attrs["MATLAB_empty"] = 1
    made.attrs["MATLAB_class"] = np.bytes_("double")


def rate_in_a_large_chunk(root: h5py.File) -> None:
    how = {"maxshape": (None,), "chunks": (5 * 10**7,), "compression": "gzip"}
    root.create_dataset("fs", (1,), dtype="f8", **how)[0] = 12000
    root["y"] = signal()[:, 0]


def element(kind: int, content: bytes) -> bytes:
    return struct.pack("<II", kind, len(content)) + content + b"\0" * (-len(content) % 8)


def matrix(flags: int, shape: tuple[int, int], name: bytes, rest: bytes) -> bytes:
    head = element(6, struct.pack("<II", flags, 0)) + element(5, struct.pack("<ii", *shape))
    return element(14, head + element(1, name) + rest)


def packed_structs(count: int, megabytes: int) -> bytes:
    field = matrix(6, (megabytes * 2**17, 1), b"", element(9, bytes(megabytes * 2**20)))
    names = element(5, struct.pack("<i", 32)) + element(1, b"a".ljust(32, b"\0"))
    content = b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM"
    for i in range(count):
        packed = zlib.compress(matrix(2, (1, 1), b"s%d" % i, names + field), 9)
        content += struct.pack("<II", 15, len(packed)) + packed
    return content


def wav_of(channels: int) -> bytes:
    head = struct.pack("<HHIIHH", 1, channels, 12000, 12000 * channels, channels % 65536, 8)
    chunks = riff(b"fmt ", head) + riff(
        b"data", (bytes(range(256)) * (channels // 128 + 1))[: 2 * channels]
    )
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def tdms_of(channels: int) -> bytes:
    nptdms = pytest.importorskip("nptdms")
    file = io.BytesIO()
    with nptdms.TdmsWriter(file) as writer:
        made = [nptdms.ChannelObject("g", f"c{i}", np.zeros(2)) for i in range(channels)]
        writer.write_segment(made)
    return file.getvalue()


def table(columns: int) -> bytes:
    head, row = ",".join(["x"] * columns), ",".join(["1"] * columns)
    return f"{head}\n{row}\n{row}\n{row}\n".encode()


def packed_arrays(count: int) -> bytes:
    file = io.BytesIO()
    x = np.zeros(7_500_000)  # 57 MiB, which one variable may unpack to
    np.savez_compressed(file, **{f"x{i}": x for i in range(count)})
    return file.getvalue()


def packed_datasets(root: h5py.File) -> None:
    for i in range(3):
        how = {"chunks": (7_500_000,), "compression": "gzip"}
        root.create_dataset(f"x{i}", data=np.zeros(7_500_000), **how)


def zip_of_members(count: int, name: bytes = b"a", content: bytes = b"") -> bytes:
    """Return an archive whose directory lists one member many times."""
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    inside = packed.compress(content) + packed.flush()
    sizes = (zlib.crc32(content), len(inside), len(content), len(name), 0)
    member = b"PK\3\4" + struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, *sizes) + name + inside
    entry = b"PK\1\2" + struct.pack("<HHHHHHIIIHH", 20, 20, 0, 8, 0, 33, *sizes) + bytes(12) + name
    size = count * len(entry)
    wide = b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, count, count, size, len(member))
    where = b"PK\6\7" + struct.pack("<IQI", 0, len(member) + size, 1)
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0)
    return member + entry * count + wide + where + end


def far_cell(place: str) -> bytes:
    near = '<row r="1"><c r="A1"><v>1</v></c></row>'
    return sheet(f'{near}<row r="1048576"><c {place}><v>1</v></c></row>')


def long_string_many_times() -> bytes:
    text = "<si><t>" + "abc" * 10_000 + "</t></si>"
    rows = "".join(
        f'<row r="{i}"><c r="A{i}" t="s"><v>0</v></c><c r="B{i}"><v>1</v></c></row>'
        for i in range(1, 20_000)
    )
    return sheet(rows, shared=text)


def parquet_of(columns: int, rows: int) -> bytes:
    pa = pytest.importorskip("pyarrow")
    file = io.BytesIO()
    table = pa.table({f"c{i}": np.zeros(rows) for i in range(columns)})
    importlib.import_module("pyarrow.parquet").write_table(table, file)
    return file.getvalue()


def lvm_of(samples: str) -> bytes:
    return lvm().replace("Samples\t300", f"Samples\t{samples}").encode()


FILES: dict[str, Callable[[], bytes]] = {
    "circles.h5": lambda: in_hdf5(circles),
    "ladder.h5": lambda: in_hdf5(ladder),
    "empty.mat": lambda: in_hdf5(empty_of_millions),
    "chunk.h5": lambda: in_hdf5(rate_in_a_large_chunk),
    "structs.mat": lambda: packed_structs(5, 40),
    "arrays.npz": lambda: packed_arrays(3),
    "arrays.h5": lambda: in_hdf5(packed_datasets),
    "channels.wav": lambda: wav_of(65_535),
    "chunks.wav": lambda: b"RIFF\0\0\0\0WAVE" + riff(b"junk", b"") * 200_000,
    "channels.tdms": lambda: tdms_of(12_000),
    "names.csv": lambda: table(3000),
    "spaces.csv": lambda: b"a" + b" " * 60_000 + b"b\n" + b"1,2\n" * 300,
    "words.csv": lambda: b"a b " * 15_000 + b"=\n" + b"1,2\n" * 300,
    "bzip2.zip": lambda: zipped({"a.csv": bytes(120_000_000)}, zipfile.ZIP_BZIP2),
    "members.zip": lambda: zip_of_members(300_000),
    "overlapping.zip": lambda: zip_of_members(1000, b"a.csv", b"1,2\n" * 5_000_000),
    "spaced.xlsx": lambda: far_cell('r = "XFD1048576"'),
    "lower.xlsx": lambda: far_cell('r="xfd1048576"'),
    "strings.xlsx": long_string_many_times,
    "zeros.parquet": lambda: parquet_of(1, 10**7),
    "columns.parquet": lambda: parquet_of(5000, 2),
    "digits.lvm": lambda: lvm_of("9" * 5000),
    "number.npz": lambda: npz(packed=False, **{f"X{'9' * 5000}_DE_time": np.zeros(100)}),
    "speed.npz": lambda: npz(
        packed=False, **{f"X{'9' * 5000}RPM": np.zeros(1), "X1_DE_time": signal()[:, 0]}
    ),
}

READ = """
import json, re, sys
from pathlib import Path
import h5py
from faultdiag.errors import FaultdiagError
from faultdiag.readers.read import list_variables, read_recording

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

before, found = peak(), []
for read in (list_variables, read_recording):
    try:
        read(sys.argv[1])
        found.append("read")
    except FaultdiagError as error:
        found.append(str(error))
print(json.dumps([found, peak() - before]))
"""


@pytest.mark.parametrize("name", FILES)
def test_a_small_file_takes_little_time_and_memory(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name]())
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found, kilobytes = json.loads(done.stdout)
    assert kilobytes < KILOBYTES
    assert time.monotonic() - began < 4 * SECONDS
    assert all(text == "read" or str(path) in text for text in found)
    assert not any("that is a bug" in text for text in found)


def test_rates_never_come_from_another_file(tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(np.float64(31337).tobytes())
    with h5py.File(tmp_path / "src.h5", "w") as file:
        file["q"] = np.array([4242.0])

    def outside(root: h5py.File) -> None:
        root.create_dataset("fs", (1,), "f8", external=[(str(tmp_path / "secret.bin"), 0, 8)])
        root["y"] = signal()[:, 0]

    def virtual(root: h5py.File) -> None:
        layout = h5py.VirtualLayout((1,), "f8")
        layout[:] = h5py.VirtualSource(str(tmp_path / "src.h5"), "q", (1,))
        root.create_virtual_dataset("fs", layout)
        root["y"] = signal()[:, 0]

    for name, fill in (("x.h5", outside), ("v.h5", virtual)):
        path = tmp_path / name
        path.write_bytes(in_hdf5(fill, late=True))
        with pytest.raises(FaultdiagError, match="in another file"):
            read_recording(path)


def test_wrong_samples_in_an_archive_are_refused_packed_or_not(tmp_path: Path) -> None:
    for packed in (False, True):
        path = tmp_path / f"{packed}.npz"
        content = bytearray(npz(packed=packed, x=signal()[:, 0], fs=12_000))
        content[content.index(b"x.npy") + 700] ^= 0x40
        path.write_bytes(content)
        with pytest.raises(FaultdiagError, match=re.escape(str(path))):
            read_recording(path)


def test_the_end_of_a_packed_variable_is_compared(tmp_path: Path) -> None:
    x = signal()[:, :1]
    plain = matrix(6, x.shape, b"x", element(9, x.tobytes(order="F")))
    packed = zlib.compress(plain)
    for name, stream in (("checksum", packed[:-1] + bytes([packed[-1] ^ 1])), ("cut", packed[:-4])):
        path = tmp_path / f"{name}.mat"
        head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM"
        path.write_bytes(head + struct.pack("<II", 15, len(stream)) + stream)
        with pytest.raises(FaultdiagError, match="damaged or incomplete MATLAB file"):
            read_recording(path)


def test_many_channels_are_named_not_read(tmp_path: Path) -> None:
    path = tmp_path / "channels.wav"
    path.write_bytes(wav_of(65_535))
    with pytest.raises(FaultdiagError, match="has 65535 channels; at most 1024 are read together"):
        read_recording(path)
    assert len(list_variables(path)) == 65_535
    assert read_recording(path, channel="ch60000").samples == 2
