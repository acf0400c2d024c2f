"""A corpus of broken recordings: every way in which files of every format go wrong."""

import io
import os
import random
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.readers import broken_packed
from tests.readers.samples import csv, hdf5, mat, matlab_array, npy, npz, signal, wav, whole

_CUTS = (1, 5, 20, 127, 129, 200, 500, 1500)
_SHARES = (0.25, 0.5, 0.75, 0.95)
_FLIPPED = 12
# Text cut at any place, and a flipped bit anywhere, can leave a sound recording behind.
_TEXT = (".csv", ".tsv")
_SUFFIXES = (
    *(".mat", ".h5", ".csv", ".tsv", ".txt", ".wav", ".npy", ".npz", ".tdms"),
    *(".lvm", ".csv.gz", ".zip", ".uff", ".parquet", ".xlsx"),
)


@dataclass(frozen=True)
class Broken:
    """One file of the corpus, and the JSON file of the same name beside it, if any.

    ``content`` are its bytes, or ``folder``, ``pipe`` or ``link:TARGET`` for another kind of entry.
    A ``certain`` file can't be read; others are read or refused, but nothing worse.
    """

    name: str
    content: bytes | str
    certain: bool = True
    beside: bytes | None = None


def corpus() -> list[Broken]:
    """Return all files of the corpus, the same ones each time."""
    parts = (_cut, _flipped, _absurd, _bombs, _other_kinds, _no_files, _no_signals, _texts, _packed)
    return [broken for part in parts for broken in part()]


def write(folder: Path) -> list[tuple[Path, bool]]:
    """Write the corpus into a folder; give each path and whether it can't be read."""
    written = []
    for broken in corpus():
        path = folder / broken.name
        if broken.content == "folder":
            path.mkdir()
        elif broken.content == "pipe":
            os.mkfifo(path)
        elif isinstance(broken.content, str):
            path.symlink_to(broken.content.removeprefix("link:"))
        else:
            path.write_bytes(broken.content)
        if broken.beside is not None:
            path.with_suffix(".json").write_bytes(broken.beside)
        written.append((path, broken.certain))
    return written


def _cut() -> Iterator[Broken]:
    for name, content in whole().items():
        cuts = [*_CUTS, *(int(share * len(content)) for share in _SHARES), len(content) - 9]
        stem, suffix = name.split(".")
        for cut in cuts:
            yield Broken(f"cut{cut}_{stem}.{suffix}", content[:cut], f".{suffix}" not in _TEXT)


def _flipped() -> Iterator[Broken]:
    chance = random.Random(0)
    for name, content in whole().items():
        for number in range(_FLIPPED):
            broken = bytearray(content)
            for _ in range(chance.choice([1, 2, 20])):
                broken[chance.randrange(2500)] ^= 1 << chance.randrange(8)
            yield Broken(f"flip{number}_{name}", bytes(broken), certain=False)


def _packed() -> Iterator[Broken]:
    for name, content, certain in broken_packed.files():
        yield Broken(name, content, certain)
    sound = npy(signal())
    for name, content, certain in broken_packed.side_files():
        yield Broken(f"{Path(name).stem}.npy", sound, certain, beside=content)


def _absurd() -> Iterator[Broken]:
    head = npy(signal())
    for shape in ("(10**9,)", "(999999999999,)", "(99999999999999999999,)", "(-5,)", "(2, 0)"):
        shaped = head.replace(b"(2000, 2), }      ", f"{shape}, }}".encode().ljust(18))
        yield Broken(f"shape{shape.strip('()')}.npy", shaped)
    yield Broken("long_header.npy", b"\x93NUMPY\2\0" + struct.pack("<I", 2**32 - 1) + head[10:])
    five = mat({"x": signal()[:, :1]})
    for rows, columns in ((2**31 - 1, 1), (2000, 2**30), (-1, 1), (0, 1)):
        sides = struct.pack("<ii", rows, columns)
        shaped = five.replace(struct.pack("<ii", 2000, 1), sides)
        yield Broken(f"shape{rows}_{columns}.mat", shaped)
    four = mat({"x": signal()[:, :1]}, format="4")
    for rows, columns in ((2**31 - 1, 2**31 - 1), (2**31 - 1, 1), (0, 0), (3000, 1)):
        shaped = four[:4] + struct.pack("<ii", rows, columns) + four[12:]
        yield Broken(f"four{rows}_{columns}.mat", shaped)
    yield from _absurd_wav()
    yield from _absurd_hdf5()


def _absurd_wav() -> Iterator[Broken]:
    sound = wav(signal() * 2**15, 16)
    place = sound.index(b"data") + 4
    # 2**32 - 1 is the length of a stream, which is read to its end.
    for size in (2**31, 10**6, 0):
        yield Broken(
            f"data{size}.wav", sound[:place] + struct.pack("<I", size) + sound[place + 4 :]
        )
    for field, offset, value in (
        ("code", 20, 85),
        ("channels", 22, 0),
        ("channels", 22, 65535),
        ("rate", 24, 0),
        ("width", 32, 3),
        ("bits", 34, 12),
    ):
        changed = bytearray(sound)
        changed[offset : offset + 2] = struct.pack("<H", value)
        if field == "rate":
            changed[offset : offset + 4] = bytes(4)
        yield Broken(f"{field}{value}.wav", bytes(changed))
    yield Broken("no_data.wav", sound[: place - 4])
    yield Broken("no_format.wav", sound.replace(b"fmt ", b"fnt "))


def _absurd_hdf5() -> Iterator[Broken]:
    yield Broken("never_written.h5", _hdf5_of(shape=(10**12,), dtype="f8", chunks=(1000,)))
    yield Broken("wide.h5", _hdf5_of(shape=(10**9, 50), dtype="f8", chunks=(1000, 50)))
    yield Broken("unallocated.h5", _hdf5_of(shape=(10**10,), dtype="f4"))
    yield Broken("one_chunk.h5", _hdf5_of(shape=(10**8,), dtype="f8", chunks=(10**8,)))


def _hdf5_of(**options: Any) -> bytes:
    import h5py

    file = io.BytesIO()
    with h5py.File(file, "w") as root:
        root.create_dataset("x", **options)
    return file.getvalue()


def _bombs() -> Iterator[Broken]:
    zeros = np.zeros(12_000_000)
    yield Broken("bomb.mat", mat({"x": zeros[:, None]}, do_compression=True))
    yield Broken("bomb.npz", npz(packed=True, x=zeros))
    packed = {"compression": "gzip", "compression_opts": 1, "chunks": (100_000,)}
    yield Broken("bomb.h5", _hdf5_of(data=zeros, **packed))


def _other_kinds() -> Iterator[Broken]:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("xl/workbook.xml", "<workbook/>")
    png = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
    for suffix in _SUFFIXES:
        yield Broken(f"picture{suffix}", png)
        yield Broken(f"workbook{suffix}", archive.getvalue())
        yield Broken(f"page{suffix}", b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n")
        yield Broken(f"noise{suffix}", random.Random(1).randbytes(4000))
        yield Broken(f"zeros{suffix}", bytes(4000))
    yield Broken("encrypted.npz", _marked_encrypted(npz(packed=True, x=signal())))
    yield Broken("lzma.npz", _lzma())


def _marked_encrypted(content: bytes) -> bytes:
    changed = bytearray(content)
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        changed[changed.index(mark) + offset] |= 1
    return bytes(changed)


def _lzma() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_LZMA) as zipped:
        zipped.writestr("x.npy", npy(signal()))
    return archive.getvalue()


def _no_files() -> Iterator[Broken]:
    for suffix in _SUFFIXES:
        yield Broken(f"empty{suffix}", b"")
        yield Broken(f"folder{suffix}", "folder")
        yield Broken(f"loop{suffix}", f"link:loop{suffix}")
        yield Broken(f"dangling{suffix}", "link:nowhere")
    yield Broken("pipe.mat", "pipe")
    yield Broken("pipe.csv", "pipe")
    yield Broken("zero.mat", "link:/dev/zero")


def _no_signals() -> Iterator[Broken]:
    x = signal()
    holes = np.where(x > 0.8, np.nan, x)
    ends = np.where(x > 0.8, np.inf, x)
    for name, values in (("nan", holes), ("inf", ends), ("complex", x + 1j), ("huge", x * 1e300)):
        yield Broken(f"{name}.npy", npy(values))
        yield Broken(f"{name}5.mat", mat({"x": values}))
        yield Broken(f"{name}7.mat", mat({"x": values}, do_compression=True))
        yield Broken(f"{name}4.mat", mat({"x": values}, format="4"))
        yield Broken(f"{name}.npz", npz(packed=False, x=values))
        yield Broken(f"{name}z.npz", npz(packed=True, x=values))
        yield Broken(f"{name}.h5", _hdf5_of(data=values))
    yield Broken("nan.wav", wav(holes, 32, code=3))
    words = np.array(["a", "b", "c"])
    for name, array in (
        ("words", words),
        ("objects", np.array([{}, None], object)),
        ("bools", x > 0),
        ("fields", np.zeros(9, [("a", "f8"), ("b", "i4")])),
        ("dates", np.arange(9).astype("M8[s]")),
        ("scalar", np.array(3.0)),
        ("cube", np.ones((30, 30, 30))),
        ("square", np.ones((30, 30))),
        ("none", np.zeros((0, 2))),
    ):
        yield Broken(f"{name}.npy", npy(array))
        yield Broken(f"{name}.npz", npz(packed=True, x=array))
    cells = np.array(["a", 1.0, "b"], object)
    for name, value in (("cell", cells), ("text", "text"), ("struct", {"a": "b"}), ("few", 1.0)):
        yield Broken(f"{name}.mat", mat({"x": value}))
    yield Broken("several.mat", mat({"x": x[:, 0], "y": x[:, 1]}))
    yield Broken("several.npz", npz(packed=False, x=x[:, 0], y=x[:, 1]))
    yield from _no_signals_in_hdf5()


def _no_signals_in_hdf5() -> Iterator[Broken]:
    import h5py

    for name, kind in (("char", "char"), ("logical", "logical"), ("cell", "cell")):
        file = io.BytesIO()
        with h5py.File(file, "w", userblock_size=512) as root:
            matlab_array(root, "x", np.ones((200, 1), np.uint16), kind)
        yield Broken(f"{name}73.mat", file.getvalue())
    file = io.BytesIO()
    with h5py.File(file, "w") as root:
        root["elsewhere"] = h5py.ExternalLink("other.h5", "/x")
        root["circle"] = h5py.SoftLink("/circle")
        root["words"] = ["a", "b"]
    yield Broken("links.h5", file.getvalue())
    yield Broken("nothing.h5", _hdf5_of(shape=(0,), dtype="f8"))
    file = io.BytesIO()
    with h5py.File(file, "w") as root:
        root.create_dataset("x", (1000,), "f8", external=[("/etc/passwd", 0, 8000)])
    yield Broken("external.h5", file.getvalue())
    yield Broken("half.h5", hdf5(packed=True).replace(b"x\x5e", b"x\0"), certain=False)


def _texts() -> Iterator[Broken]:
    lines = csv().decode().splitlines()
    middle = len(lines) // 2
    for name, line in (
        ("ragged", "1,2"),
        ("long", "1,2,3,4"),
        ("word", "1,abc,3"),
        ("note", "sensor changed here"),
        ("gap", "1,,3"),
        ("dots", "1,2.3.4,5"),
        ("under", "1,1_000,5"),
        ("hex", "1,0x10,5"),
        ("quote", '1,"2,3'),
        ("nul", "1,2\0,3"),
    ):
        broken = [*lines[:middle], line, *lines[middle:]]
        yield Broken(f"{name}_line.csv", "\n".join(broken).encode())
    yield Broken("nan_cell.csv", "\n".join([*lines, "0.1666667,nan,1"]).encode())
    stuck = [line if i < middle else f"0,{line.split(',', 1)[1]}" for i, line in enumerate(lines)]
    yield Broken("time_stands.csv", "\n".join(stuck).encode())
    jump = [*lines[:middle], *lines[middle + 200 :]]
    yield Broken("time_jumps.csv", "\n".join(jump).encode())
    chance = random.Random(2)
    uneven = [f"{i / 12000 + chance.random() / 20000},{i % 7}" for i in range(3000)]
    yield Broken("time_jitters.csv", "\n".join(["time,x", *uneven]).encode())
    yield Broken("utf16.csv", csv().decode().encode("utf-16"))
    yield Broken("one_line.txt", b"0.1 0.2 0.3\n")
    yield Broken("endless_line.txt", b"a " * 2**20)
    yield Broken("prose.txt", b"This recording was taken\non a Tuesday.\n")
    yield Broken("broken_first.csv", b"a,b\n1,\n" + b"1,2\n" * 50)
