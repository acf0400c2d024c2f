"""Small recordings in every format, as bytes: what the tests of the readers start from."""

import io
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLES = 2000
RATE = 12_000


def signal(channels: int = 2) -> NDArray[np.float64]:
    """Noise within ±1, ``(samples, channels)``."""
    return np.random.default_rng(0).uniform(-0.9, 0.9, (SAMPLES, channels))


def mat(variables: Mapping[str, Any], **options: Any) -> bytes:
    from scipy.io import savemat

    file = io.BytesIO()
    savemat(file, dict(variables), **options)  # type: ignore[arg-type]  # its stubs know paths only
    # savemat writes the time of day into the first 116 bytes.
    content = file.getvalue()
    if options.get("format") == "4":
        return content
    return b"MATLAB 5.0 MAT-file of a test".ljust(116) + content[116:]


def hdf5(*, packed: bool = False, userblock: int = 0, matlab: bool = False) -> bytes:
    """Return an HDF5 file; `matlab` writes it as MATLAB 7.3 does, sides in reverse."""
    import h5py

    file, x = io.BytesIO(), signal()
    how = {"compression": "gzip", "chunks": True, "shuffle": True} if packed else {}
    with h5py.File(file, "w", userblock_size=userblock) as root:
        if not matlab:
            root.create_dataset("run/vib", data=x, **how).attrs["sampling_rate"] = float(RATE)
        else:
            for i, end in enumerate(("DE", "FE")):
                matlab_array(root, f"X105_{end}_time", x[:, [i]], "double", **how)
            matlab_array(root, "X105RPM", np.array([[1797]], np.uint16), "uint16")
            letters = np.frombuffer("text".encode("utf-16-le"), np.uint16)[None]
            matlab_array(root, "note", letters, "char")
    content = bytearray(file.getvalue())
    if userblock:
        content[:128] = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM"
    return bytes(content)


def mat73(variables: Mapping[str, Any]) -> bytes:
    """Return a MATLAB 7.3 file: a dict is a struct, a list a struct array, a tuple a cell."""
    import h5py

    file = io.BytesIO()
    with h5py.File(file, "w", userblock_size=512) as root:
        hidden = root.create_group("#refs#")
        for name, value in variables.items():
            _matlab_value(root, name, value, hidden)
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM"
    return head + file.getvalue()[128:]


def _matlab_value(group: Any, name: str, value: Any, hidden: Any) -> None:
    if isinstance(value, dict | list):
        inside = group.create_group(name)
        inside.attrs["MATLAB_class"] = np.bytes_("struct")
        items = value.items() if isinstance(value, dict) else ((k, None) for k in value[0])
        for key, item in items:
            if isinstance(value, dict):
                _matlab_value(inside, key, item, hidden)
            else:
                # As MATLAB does, without the attribute.
                inside[key] = matlab_references(inside, key, [row[key] for row in value], hidden)
    elif isinstance(value, tuple):
        cells = matlab_references(group, name, value, hidden)
        matlab_array(group, name, cells.T, "cell")
    elif isinstance(value, str):
        letters = np.frombuffer(value.encode("utf-16-le"), np.uint16)[None]
        matlab_array(group, name, letters, "char")
    elif np.size(value) == 0:
        empty = matlab_array(group, name, np.zeros(2, np.uint64), "double")
        empty.attrs["MATLAB_empty"] = np.uint8(1)
    else:
        matlab_array(group, name, np.atleast_2d(value), "double")


def matlab_references(group: Any, name: str, values: Sequence[Any], hidden: Any) -> NDArray[Any]:
    """Write values into ``#refs#``; return the references to them, as MATLAB lays out a row."""
    import h5py

    owner = f"{group.name}/{name}".removeprefix("/#refs#").replace("/", ".")
    for number, value in enumerate(values):
        _matlab_value(hidden, f"{owner}_{number}", value, hidden)
    references = [[hidden[f"{owner}_{number}"].ref] for number in range(len(values))]
    return np.array(references, h5py.ref_dtype)


def matlab_array(group: Any, name: str, values: NDArray[Any], kind: str, **how: Any) -> Any:
    dataset = group.create_dataset(name, data=values.T, **how)
    dataset.attrs["MATLAB_class"] = np.bytes_(kind)
    return dataset


def wav(values: NDArray[Any], bits: int, *, code: int = 1, extensible: bool = False) -> bytes:
    """Return a WAV file of stored values ``(samples, channels)``; 24 bits come as int32."""
    types = {8: "u1", 16: "<i2", 24: "<i4", 32: "<i4"} if code == 1 else {32: "<f4", 64: "<f8"}
    data = values.astype(types[bits])
    content = data.tobytes()
    if bits == 24:
        content = data.reshape(-1).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    width = values.shape[1] * bits // 8
    head = struct.pack("<HIIHH", values.shape[1], RATE, RATE * width, width, bits)
    chunk = struct.pack("<H", 0xFFFE if extensible else code) + head
    if extensible:
        guid = struct.pack("<H", code) + bytes.fromhex("0000000010008000 00aa00389b71")
        chunk += struct.pack("<HHI", 22, bits, 0) + guid
    chunks = riff(b"fmt ", chunk) + riff(b"LIST", b"odd") + riff(b"data", content)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def riff(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def npz(*, packed: bool, **arrays: Any) -> bytes:
    file = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(file, **arrays)
    return file.getvalue()


def csv(separator: str = ",", *, header: str = "time,x,y", time: bool = True) -> bytes:
    lines = [header] if header else []
    for i, row in enumerate(signal()):
        cells = [f"{i / RATE:.7f}"] * time + [f"{value:.6f}" for value in row]
        lines.append(separator.join(cells))
    return ("\n".join(lines) + "\n").encode()


def tdms() -> bytes:
    from nptdms import ChannelObject, GroupObject, RootObject, TdmsWriter

    file, x = io.BytesIO(), signal()
    step = {"wf_increment": 1 / RATE}
    with TdmsWriter(file) as writer:
        writer.write_segment(
            [
                RootObject({"rpm": 1500.0}),
                GroupObject("g", {}),
                ChannelObject("g", "x", x[:, 0], step),
                ChannelObject("g", "y", x[:, 1], step),
            ]
        )
    return file.getvalue()


def whole() -> dict[str, bytes]:
    """Return one sound file of every kind by its name."""
    x = signal()
    cwru = {"X105_DE_time": x[:, :1], "X105_FE_time": x[:, 1:], "X105RPM": np.uint16(1797)}
    mfpt = {"bearing": {"rate": 25.0, "load": "50", "gs": x[:, :1], "sr": np.uint16(48828)}}
    return {
        "v6.mat": mat(cwru),
        "v7.mat": mat(cwru, do_compression=True),
        "v4.mat": mat(cwru, format="4"),
        "struct.mat": mat(mfpt),
        "struct7.mat": mat(mfpt, do_compression=True),
        "v73.mat": hdf5(matlab=True, userblock=512),
        "v73z.mat": hdf5(matlab=True, userblock=512, packed=True),
        "array73.mat": mat73({"run": [{"v": x[:, 0], "fs": 1e4}, {"v": ("a",), "fs": ()}]}),
        "plain.h5": hdf5(),
        "packed.h5": hdf5(packed=True),
        "int16.wav": wav(x * 2**15, 16),
        "int24.wav": wav(x * 2**23, 24, extensible=True),
        "float.wav": wav(x, 32, code=3),
        "a.npy": npy(x),
        "a.npz": npz(packed=False, x=x, fs=RATE),
        "z.npz": npz(packed=True, x=x, fs=RATE),
        "a.csv": csv(),
        "a.tsv": csv("\t", header="", time=False),
        "a.tdms": tdms(),
    }
