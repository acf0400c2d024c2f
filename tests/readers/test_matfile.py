"""MAT-files of all versions against scipy's reader, and what becomes of broken ones."""

import random
import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from faultdiag.errors import FaultdiagError
from faultdiag.readers.mat import open_arrays
from faultdiag.readers.read import list_variables, read_recording
from tests.datasets.layouts import paderborn_struct

SIGNAL = np.random.default_rng(0).standard_normal((500, 1))
CWRU = {"X097_DE_time": SIGNAL, "X097_FE_time": SIGNAL, "X097RPM": np.array([[1796]], np.uint16)}
MFPT = {"bearing": {"rate": 25.0, "load": "50", "gs": SIGNAL, "sr": np.uint16(48828)}}


def saved(variables: dict[str, Any], **options: Any) -> bytes:
    from scipy.io import savemat

    file = BytesIO()
    savemat(file, variables, **options)
    return file.getvalue()


def element(order: str, kind: int, content: bytes) -> bytes:
    padding = b"\0" * (-len(content) % 8)
    return struct.pack(f"{order}II", kind, len(content)) + content + padding


def matrix(order: str, flags: int, *elements: bytes) -> bytes:
    content = element(order, 6, struct.pack(f"{order}II", flags, 0)) + b"".join(elements)
    return element(order, 14, content)


def vector(order: str, name: bytes, values: list[int]) -> bytes:
    return matrix(
        order,
        6,
        element(order, 5, struct.pack(f"{order}ii", len(values), 1)),
        element(order, 1, name),
        element(order, 3, struct.pack(f"{order}{len(values)}h", *values)),
    )


def file_of(order: str, *elements: bytes) -> bytes:
    text = b"MATLAB 5.0 MAT-file".ljust(124)
    mark = {"<": b"\0\1IM", ">": b"\1\0MI"}[order]
    return text + mark + b"".join(elements)


@given(
    values=arrays.arrays(
        dtype=st.sampled_from(["f8", "f4", "i4", "i2", "u2", "u1"]),
        shape=arrays.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=9),
    ),
    options=st.sampled_from([{"format": "4"}, {}, {"do_compression": True}]),
)
def test_values_are_those_that_scipy_reads(
    tmp_path_factory: pytest.TempPathFactory, values: np.ndarray[Any, Any], options: dict[str, Any]
) -> None:
    from scipy.io import loadmat

    path = tmp_path_factory.getbasetemp() / "law.mat"
    path.write_bytes(saved({"first": 1.0, "x": values}, **options))
    found = open_arrays(path)
    assert list(found) == ["first", "x"]
    np.testing.assert_array_equal(found["x"].values(), loadmat(path)["x"])


@pytest.mark.parametrize("dtype", ["i1", "i8", "u4", "u8"])
def test_the_other_number_types_of_version_5(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "x.mat"
    path.write_bytes(saved({"x": np.arange(100).astype(dtype)}))
    np.testing.assert_array_equal(read_recording(path).signal[0], np.arange(100))


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders(tmp_path: Path, order: str) -> None:
    path = tmp_path / "x.mat"
    path.write_bytes(file_of(order, vector(order, b"acceleration", [1, -2, 300])))
    np.testing.assert_array_equal(read_recording(path).signal, [[1, -2, 300]])
    header = struct.pack(f"{order}5i", 1000 * (order == ">") + 30, 3, 1, 0, 4)
    path.write_bytes(header + b"acc\0" + struct.pack(f"{order}3h", 1, -2, 300))
    np.testing.assert_array_equal(read_recording(path).signal, [[1, -2, 300]])


def test_an_object_of_a_class_does_not_hide_the_signal(tmp_path: Path) -> None:
    names = [element("<", 1, name) for name in (b"s", b"MCOS", b"string")]
    path = tmp_path / "x.mat"
    unnamed = vector("<", b"", [1, 2])
    path.write_bytes(file_of("<", matrix("<", 17, *names), vector("<", b"x", [4, 5]), unnamed))
    assert [str(v) for v in list_variables(path)] == ["s (opaque)", "x (2×1 double)"]
    np.testing.assert_array_equal(read_recording(path).signal, [[4, 5]])


def test_text_and_sparse_of_version_4_are_listed_as_such(tmp_path: Path) -> None:
    from scipy.sparse import coo_array

    path = tmp_path / "x.mat"
    variables = {"t": "abc", "s": coo_array(np.eye(3)), "z": SIGNAL + 1j, "x": SIGNAL}
    path.write_bytes(saved(variables, format="4"))
    kinds = {variable.name: variable.kind for variable in list_variables(path)}
    assert kinds == {"t": "char", "s": "sparse", "z": "complex double", "x": "double"}
    assert read_recording(path).channels == ("x",)


def test_a_flipped_byte_in_packed_data_is_seen_by_its_checksum(tmp_path: Path) -> None:
    path = tmp_path / "97.mat"
    content = bytearray(saved({"x": SIGNAL}, do_compression=True))
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(FaultdiagError, match=r"97\.mat is a damaged .*incorrect data check; copy"):
        read_recording(path)


def flags(kind: int, **changes: bytes) -> bytes:
    parts = {"dims": struct.pack("<ii", 2, 1), "name": b"x", "values": b"\0" * 16, **changes}
    types = {"dims": 5, "name": 1, "values": 9}
    return matrix("<", kind, *(element("<", types[key], parts[key]) for key in types))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (element("<", 9, b"12345678"), r"the element at byte 128 is no array \(type 9\)"),
        (b"\0" * 16, "the variable at byte 128 reaches beyond its end"),
        (struct.pack("<II", 14, 4000), "the variable at byte 128 reaches beyond its end"),
        (b"123", "the variable at byte 128 reaches beyond its end"),
        (flags(99), "an array is of the unknown class 99"),
        (flags(6, dims=struct.pack("<i", 2)), r"states the dimensions \(2,\)"),
        (flags(6, dims=struct.pack("<ii", -2, 1)), r"states the dimensions \(-2, 1\)"),
        (flags(6, dims=b"\2\0\0\0\1\0"), "states the dimensions"),
        (flags(6, dims=struct.pack("<ii", 10**9, 4)), r"x states \(1000000000, 4\) values but"),
        (flags(6, name=b"\xff\1"), r"an array has the name b'\\xff\\x01'"),
        (flags(6)[:8] + flags(6)[16:] + b"\0" * 8, "element that is out of place"),
        (element("<", 14, b"\6\0\0\0"), "the header of an array ends early"),
        (element("<", 14, struct.pack("<HHI", 6, 9, 0)), "a short element is longer than 4 bytes"),
        (flags(6) + flags(6), "two of its variables have the same name"),
        (element("<", 15, zlib.compress(b"\0" * 64)), "byte 128 is no array of the file"),
        (
            element("<", 15, zlib.compress(struct.pack("<II", 14, 2**31))),
            "byte 128 is no array of the file",
        ),
    ],
)
def test_a_header_that_contradicts_the_format(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "97.mat"
    path.write_bytes(file_of("<", content))
    said = rf"97\.mat is a damaged or incomplete MATLAB file: .*{said}.*; copy or download it again"
    with pytest.raises(FaultdiagError, match=said):
        list_variables(path)


def test_values_of_an_unknown_type_are_refused(tmp_path: Path) -> None:
    """With such a byte scipy 1.17 ends the process."""
    path = tmp_path / "97.mat"
    content = saved({"x": SIGNAL})
    path.write_bytes(content.replace(struct.pack("<II", 9, 4000), struct.pack("<II", 11, 4000)))
    with pytest.raises(FaultdiagError, match="the values of x are of the unknown type 11"):
        read_recording(path)


def test_values_longer_than_their_array(tmp_path: Path) -> None:
    path = tmp_path / "97.mat"
    whole = flags(6)
    short = struct.pack("<II", 14, len(whole) - 24) + whole[8:-16]
    path.write_bytes(file_of("<", short))
    with pytest.raises(FaultdiagError, match="the values of x don't fit into the file"):
        read_recording(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (struct.pack("<5i", 0, 2, 1, 0, 2) + b"x\0" + b"\0" * 8, "values of x don't fit"),
        (struct.pack("<5i", 0, -2, 1, 0, 2) + b"x\0", "header at byte 0 states sizes that cannot"),
        (struct.pack("<5i", 0, 2, 1, 7, 2) + b"x\0", "header at byte 0 states sizes that cannot"),
        (struct.pack("<5i", 0, 0, 1, 0, 9) + b"x\0", "header at byte 0 states sizes that cannot"),
        (struct.pack("<5i", 0, 0, 1, 0, 0), "an array has the name b''"),
        (struct.pack("<5i", 0, 0, 1, 0, 2) + b"x\0" + b"more", "there is no array at byte 22"),
        (struct.pack("<i", 0), "there is no array at byte 0"),
    ],
)
def test_a_version_4_header_that_contradicts_the_format(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "97.mat"
    path.write_bytes(content)
    with pytest.raises(FaultdiagError, match=said):
        read_recording(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"time,acc\n0,1\n", r"is no MATLAB file: it begins with b'time,acc\\n0,1\\n'; a MATLAB"),
        (b"<!DOCTYPE html>", "is no MATLAB file: it begins with b'<!DOCTYPE html>'"),
        (b"MATLAB 5.0 MAT-file, Platform", "its first 128 bytes are no header"),
        (b"\x89HDF\r\n\x1a\n", "is a damaged or incomplete HDF5 file: .*; copy or download"),
        (
            b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n\x1a\n",
            "is a damaged or incomplete HDF5 file: .*; copy or download it again",
        ),
    ],
)
def test_files_that_are_something_else(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "97.mat"
    path.write_bytes(content)
    for read in (list_variables, read_recording):
        with pytest.raises(FaultdiagError, match=rf"97\.mat {said}|97\.mat is a .*{said}"):
            read(path)


def test_a_struct_whose_field_names_contradict_its_format(tmp_path: Path) -> None:
    head = element("<", 5, struct.pack("<ii", 1, 1)) + element("<", 1, b"bearing")
    for width, names, said in (
        (3, b"gssr", "the field names of bearing don't fit their length"),
        (0, b"gssr", "the field names of bearing don't fit their length"),
        (2, b"gssr", "a field of bearing is no array"),
    ):
        parts = element("<", 5, struct.pack("<i", width)) + element("<", 1, names)
        path = tmp_path / "m.mat"
        path.write_bytes(file_of("<", matrix("<", 2, head, parts, element("<", 9, b"12345678"))))
        with pytest.raises(FaultdiagError, match=said):
            read_recording(path)


def test_a_field_that_reaches_beyond_its_struct(tmp_path: Path) -> None:
    head = element("<", 5, struct.pack("<ii", 1, 1)) + element("<", 1, b"bearing")
    names = element("<", 5, struct.pack("<i", 8)) + element("<", 1, b"gs\0\0\0\0\0\0")
    field = bytearray(vector("<", b"", list(range(40))))
    field[4:8] = struct.pack("<I", len(field) + 8)
    path = tmp_path / "m.mat"
    path.write_bytes(
        file_of("<", matrix("<", 2, head, names, bytes(field)), vector("<", b"x", [1]))
    )
    with pytest.raises(FaultdiagError, match="a field of bearing reaches beyond its end; copy or"):
        read_recording(path)


def test_a_file_that_is_cut_between_header_and_values(tmp_path: Path) -> None:
    for variables in (CWRU, MFPT):
        path = tmp_path / "97.mat"
        path.write_bytes(saved(variables))
        found = next(iter(open_arrays(path).values()))
        path.write_bytes(path.read_bytes()[:400])
        from faultdiag.readers.source import reading

        with (
            pytest.raises(FaultdiagError, match=r"97\.mat is a damaged .*ends early; copy or"),
            reading(path),
        ):
            found.content()


def test_what_holds_no_real_numbers_has_no_values(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    path.write_bytes(saved({"t": "text"}))
    with pytest.raises(TypeError, match="t is char, not real numbers"):
        open_arrays(path)["t"].values()


def test_an_empty_field_of_a_struct(tmp_path: Path) -> None:
    head = element("<", 5, struct.pack("<ii", 1, 1)) + element("<", 1, b"bearing")
    names = element("<", 5, struct.pack("<i", 8)) + element("<", 1, b"gs\0\0\0\0\0\0sr\0\0\0\0\0\0")
    signal = vector("<", b"", [1, 2, 3])
    path = tmp_path / "m.mat"
    path.write_bytes(file_of("<", matrix("<", 2, head, names, signal, element("<", 14, b""))))
    recording = read_recording(path)
    np.testing.assert_array_equal(recording.signal, [[1, 2, 3]])
    assert recording.sampling_rate is None


def test_memory_that_does_not_suffice(tmp_path: Path) -> None:
    from faultdiag.readers.source import reading

    path = tmp_path / "97.mat"
    path.write_bytes(b"12345")
    said = r"97\.mat does not fit into memory \(5 bytes in the file\); cut it into shorter"
    with pytest.raises(FaultdiagError, match=said), reading(path):
        raise MemoryError


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("variables", "options"),
    [(CWRU, {}), (CWRU, {"do_compression": True}), (CWRU, {"format": "4"}), (MFPT, {})],
    ids=["v6", "v7", "v4", "struct"],
)
def test_broken_files_give_one_kind_of_error(
    tmp_path: Path, variables: dict[str, Any], options: dict[str, Any], seed: int
) -> None:
    chance = random.Random(seed)
    content = saved(variables, **options)
    path = tmp_path / "97.mat"
    messages = []
    for number in range(40):
        broken = bytearray(content)
        if number % 2:
            del broken[chance.randrange(1, len(broken)) :]
        else:
            for _ in range(chance.choice([1, 2, 50])):
                broken[chance.randrange(128, 600)] ^= 1 << chance.randrange(8)
        path.write_bytes(broken)
        try:
            read_recording(path)
        except FaultdiagError as error:
            messages.append(str(error))
    assert len(messages) >= 20
    assert all(message.startswith(str(path)) for message in messages)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_measurement_in_one_struct(tmp_path: Path, compressed: bool) -> None:
    vibration = np.random.default_rng(0).standard_normal(3200)
    path = tmp_path / "N15_M07_F10_K001_1.mat"
    measured = paderborn_struct(vibration, "N15")
    path.write_bytes(saved({path.stem: measured}, do_compression=compressed))
    channels = [variable.channel for variable in list_variables(path)]
    assert channels[-1] == "vibration_1"
    with pytest.raises(FaultdiagError, match=r"holds several signals \(force, .*choose a channel"):
        read_recording(path)
    fast = read_recording(path, channel="vibration_1")
    np.testing.assert_array_equal(fast.signal[0], vibration.astype(np.float32))
    assert (fast.sampling_rate, fast.rpm) == (64_000, pytest.approx(1500))
    slow = read_recording(path, channel="torque")
    assert (slow.samples, slow.sampling_rate) == (200, 4000)
    with pytest.raises(FaultdiagError, match=r"no channel 'vibration' \(did you mean 'vibration_1"):
        read_recording(path, channel="vibration")
    content = path.read_bytes()
    for length in range(128, len(content), len(content) // 97):
        path.write_bytes(content[:length])
        with pytest.raises(FaultdiagError, match=path.name):
            read_recording(path, channel="vibration_1")


def test_a_struct_of_more_elements_than_there_are_bytes(tmp_path: Path) -> None:
    path = tmp_path / "s.mat"
    content = bytearray(saved({"s": paderborn_struct(np.arange(320.0), "N15")}))
    place = content.index(np.array([1, 6], "<i4").tobytes())
    content[place : place + 8] = np.array([2**15, 2**15], "<i4").tobytes()
    path.write_bytes(content)
    with pytest.raises(FaultdiagError, match=r"s\.mat"):
        read_recording(path, channel="vibration_1")
