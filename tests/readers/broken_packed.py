"""Broken recordings of the formats that came later: LVM, gzip, zip, UFF 58, tables, JSON."""

import gzip
import importlib.util
import io
import json
import random
import struct
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tests.readers.samples import RATE, csv, npy, npz, signal, wav
from tests.readers.test_lvm import lvm

_LONG_AGO = (1980, 1, 1, 0, 0, 0)


def _has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def zipped(members: Mapping[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return an archive, the same one each time."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), content, how)
    return file.getvalue()


def sheet(cells: str, shared: str = "") -> bytes:
    """Return an Excel file with the rows of one sheet in its own XML, and its shared strings."""
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    links = f'{head}<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type='
    book = f'{head}<workbook {main} xmlns:r="{office}"><sheets>'
    parts = {
        "[Content_Types].xml": f'{head}<Types xmlns="{package}/content-types"/>',
        "_rels/.rels": f'{links}"{office}/officeDocument" Target="xl/workbook.xml"/>'
        "</Relationships>",
        "xl/workbook.xml": f'{book}<sheet name="data" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'{links}"{office}/worksheet" '
        'Target="worksheets/sheet1.xml"/><Relationship Id="s1" Type='
        f'"{office}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
        "xl/sharedStrings.xml": f"{head}<sst {main}>{shared}</sst>",
        "xl/worksheets/sheet1.xml": f"{head}<worksheet {main}><sheetData>{cells}</sheetData>"
        "</worksheet>",
    }
    return zipped({name: text.encode() for name, text in parts.items()})


def _rows(columns: int = 2) -> str:
    rows = enumerate(signal(columns), 1)
    return "".join(
        f'<row r="{i}">'
        + "".join(f'<c r="{"ABC"[j]}{i}"><v>{x:.6f}</v></c>' for j, x in enumerate(row))
        + "</row>"
        for i, row in rows
    )


@cache
def universal(binary: int) -> bytes:
    """Return a universal file with one function of time."""
    import pyuff

    data = {"type": 58, "id1": "acc x", "func_type": 1, "data": signal()[:, 0], "binary": binary}
    data |= {"x": np.arange(len(signal())) / RATE, "abscissa_inc": 1 / RATE, "abscissa_spacing": 1}
    data |= {"orddenom_spec_data_type": 0, "ordinate_spec_data_type": 12}
    data |= {"rsp_node": 1, "rsp_dir": 3, "ref_node": 0, "ref_dir": 0}
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        # pyuff leaves the text file open that it begins a binary function with.
        warnings.simplefilter("ignore", ResourceWarning)
        path = Path(folder) / "a.uff"
        pyuff.UFF(str(path)).write_sets(data, "add")
        return path.read_bytes()


def parquet() -> bytes:
    """Return a Parquet file of two columns."""
    import pyarrow as pa
    from pyarrow import parquet as writer

    file, x = io.BytesIO(), signal()
    writer.write_table(pa.table({"x": x[:, 0], "y": x[:, 1].astype("f4")}), file)
    return file.getvalue()


def whole() -> dict[str, bytes]:
    """Return one sound file of each of these formats whose package is installed."""
    files = {
        "a.lvm": lvm().encode(),
        "a.csv.gz": gzip.compress(csv(), mtime=0),
        "a.wav.gz": gzip.compress(wav(signal() * 2**15, 16), mtime=0),
        "a.zip": zipped({"run/a.csv": csv()}),
        "stored.zip": zipped({"a.npy": npy(signal())}, zipfile.ZIP_STORED),
    }
    if _has("pyuff"):
        files |= {"a.uff": universal(0), "b.unv": universal(1)}
    if _has("pyarrow"):
        files["a.parquet"] = parquet()
    if _has("python_calamine"):
        files["a.xlsx"] = sheet(_rows())
    return files


def cut() -> Iterator[tuple[str, bytes, bool]]:
    """Yield files cut at several places; text cut in its last row can be sound."""
    for name, content in whole().items():
        places = (1, 5, 20, 200, 1500, *(len(content) * n // 20 for n in (5, 10, 15, 19)))
        for place in places:
            yield f"cut{place}_{name}", content[:place], True
        yield f"cut_end_{name}", content[:-9], not name.endswith(".lvm")


def flipped() -> Iterator[tuple[str, bytes, bool]]:
    """Yield files with bits flipped in what describes them: their first and last bytes."""
    chance = random.Random(3)
    for name, content in whole().items():
        for number in range(12):
            broken = bytearray(content)
            for _ in range(chance.choice([1, 2, 20])):
                place = chance.randrange(min(700, len(content)))
                broken[place if number % 2 else -1 - place] ^= 1 << chance.randrange(8)
            yield f"flip{number}_{name}", bytes(broken), False


def wrong_counts() -> Iterator[tuple[str, bytes, bool]]:
    """Yield files whose counts contradict what is in them."""
    text = lvm().encode()
    for count in (b"301", b"999999999999", b"-5", b"many"):
        yield f"samples{count.decode()}.lvm", text.replace(b"300\t300", count + b"\t" + count), True
    yield "step.lvm", text.replace(b"E-05", b"E-x5"), True
    yield "channels.lvm", text.replace(b"acc y\t", b""), True
    packed = gzip.compress(csv(), mtime=0)
    yield "size.csv.gz", packed[:-4] + struct.pack("<I", 5), True
    yield "sum.csv.gz", packed[:-8] + bytes(4) + packed[-4:], True
    archive = zipped({"a.csv": csv()})
    place = archive.index(b"PK\1\2")
    # Sizes that are wrong in the list of members only do not matter: the content has a checksum.
    for field, offset, value, certain in (
        *(("sum", 16, 1, True), ("place", 42, 2**31, True)),
        *(("packed", 20, 2**31, False), ("size", 24, 2**31, False)),
    ):
        changed = bytearray(archive)
        changed[place + offset : place + offset + 4] = struct.pack("<I", value)
        yield f"{field}.zip", bytes(changed), certain
    yield from _wrong_counts_of_functions()
    yield from _wrong_counts_of_tables()


def _wrong_counts_of_functions() -> Iterator[tuple[str, bytes, bool]]:
    if not _has("pyuff"):
        return
    for binary, suffix in ((0, "uff"), (1, "unv")):
        content = universal(binary)
        for count in (0, 1999, 2001, 999_999_999, -7):
            changed = content.replace(b"      2000", f"{count:>10}".encode(), 1)
            yield f"count{count}.{suffix}", changed, True
        yield f"kind.{suffix}", content.replace(b"         4 ", b"        99 ", 1), False


def _wrong_counts_of_tables() -> Iterator[tuple[str, bytes, bool]]:
    if _has("pyarrow"):
        content = parquet()
        for size in (0, 5, 2**31 - 1, 2**32 - 1):
            yield f"footer{size}.parquet", content[:-8] + struct.pack("<I", size) + b"PAR1", True
    if _has("python_calamine"):
        far = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
        yield "far.xlsx", sheet(_rows() + far), True
        yield "beyond.xlsx", sheet(_rows() + far.replace("1048576", "99999999999")), True
        yield "bomb.xlsx", sheet(_rows() + " " * 2**27), True
        yield "one_row.xlsx", sheet('<row r="1"><c r="A1"><v>1</v></c></row>'), True
        yield "gap.xlsx", sheet(_rows().replace('<c r="B99">', '<c r="C99">', 1)), True


def packages() -> Iterator[tuple[str, bytes, bool]]:
    """Yield packages of the wrong things."""
    yield "twice.csv.gz", gzip.compress(gzip.compress(csv(), mtime=0), mtime=0), False
    yield "two.csv.gz", gzip.compress(csv(), mtime=0) + b"and more", True
    yield "nothing.csv.gz", gzip.compress(b"", mtime=0), True
    yield "prose.csv.gz", gzip.compress(b"no numbers\n" * 50, mtime=0), True
    yield "bomb.csv.gz", gzip.compress(b"1,2\n" * (2**24 + 2**20), 1, mtime=0), True
    yield "nothing.zip", zipped({}), True
    yield "only_folder.zip", zipped({"a.csv/": b""}), True
    yield "empty_member.zip", zipped({"a.csv": b""}), True
    yield "up.zip", zipped({"../../up.csv": b"1,a\n"}), True
    yield "long_name.zip", zipped({f"{'n' * 300}.csv": csv()}), True
    yield "nested.zip", zipped({"a.zip": zipped({"a.csv": csv()})}), True
    yield "lzma.zip", zipped({"a.csv": b"1,a\n"}, zipfile.ZIP_LZMA), True
    yield "bomb.zip", zipped({"a.csv": b"1,2\n" * (2**24 + 2**20)}), True
    yield "broken_member.zip", zipped({"a.npz": npz(packed=True, x=signal())[:500]}), True
    locked = bytearray(zipped({"a.csv": csv()}))
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        locked[locked.index(mark) + offset] |= 1
    yield "locked.zip", bytes(locked), True


def side_files() -> Iterator[tuple[str, bytes, bool]]:
    """Yield what lies beside a sound recording; those that state odd rates don't stop it."""
    for name, content in (
        ("brace", b"{"),
        ("empty", b""),
        ("half", json.dumps({"fs": RATE, "rpm": 1500}).encode()[:-4]),
        ("words", b"sampling rate 12 kHz"),
        ("noise", random.Random(4).randbytes(600)),
        ("wide", json.dumps({"fs": RATE}).encode("utf-16")),
        ("deep", b"[" * 100_000),
        ("digits", b'{"fs": ' + b"9" * 5000 + b"}"),
    ):
        yield f"side_{name}.json", content, True
    for name, content in (
        ("huge", b'{"fs": ' + b"9" * 400 + b"}"),
        ("nan", b'{"fs": NaN, "rpm": Infinity}'),
        ("negative", b'{"fs": -12000, "rpm": -1}'),
        ("zero", b'{"dt": 0, "rpm": 0}'),
        ("text", b'{"fs": "fast", "dt": null}'),
        ("list", b"[1, 2, [3]]"),
        ("deep_but_sound", b'{"a":' * 9 + b'{"fs": 12000}' + b"}" * 9),
        ("too_deep", b'{"a":' * 900 + b'{"fs": 12000}' + b"}" * 900),
    ):
        yield f"side_{name}.json", content, False


def files() -> Iterator[tuple[str, bytes, bool]]:
    """Yield name, content, and whether it can't be read, of all files but those beside others."""
    for part in (cut, flipped, wrong_counts, packages):
        yield from part()
