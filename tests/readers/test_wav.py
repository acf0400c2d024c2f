"""WAV files as recordings: every width, scaling, headers, what is cut off."""

import struct
from pathlib import Path

import numpy as np
import pytest

from faultdiag.errors import FaultdiagError
from faultdiag.readers.read import list_variables, open_recording, read_recording
from tests.readers.samples import RATE, SAMPLES, riff, signal, wav


def write(folder: Path, content: bytes) -> Path:
    path = folder / "a.wav"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize(
    ("bits", "code", "scale", "zero"),
    [
        *((8, 1, 2**7, 128), (16, 1, 2**15, 0), (24, 1, 2**23, 0), (32, 1, 2**31, 0)),
        *((32, 3, 1, 0), (64, 3, 1, 0)),
    ],
)
def test_samples_lie_within_one(
    tmp_path: Path, *, bits: int, code: int, scale: int, zero: int, extensible: bool
) -> None:
    stored = signal(3) * scale + zero
    if code == 1:
        stored = np.round(stored)
    recording = read_recording(write(tmp_path, wav(stored, bits, code=code, extensible=extensible)))
    assert recording.channels == ("ch1", "ch2", "ch3")
    assert (recording.sampling_rate, recording.rpm) == (RATE, None)
    np.testing.assert_array_equal(recording.signal, ((stored - zero) / scale).T.astype(np.float32))


def test_full_scale_of_24_bits(tmp_path: Path) -> None:
    ends = np.array([[-(2**23)], [2**23 - 1], [-1], [0], [1]])
    found = read_recording(write(tmp_path, wav(ends, 24))).signal[0]
    np.testing.assert_array_equal(found, np.array(ends[:, 0] / 2**23, np.float32))


@pytest.mark.parametrize(("bits", "kind"), [(8, "uint8"), (16, "int16"), (24, "int24")])
def test_tracks_are_listed_from_the_header(tmp_path: Path, bits: int, kind: str) -> None:
    path = write(tmp_path, wav(signal() * 100 + 128, bits))
    assert [str(v) for v in list_variables(path)] == [
        f"ch1 ({SAMPLES} {kind})",
        f"ch2 ({SAMPLES} {kind})",
    ]
    with pytest.raises(FaultdiagError, match=r"a\.wav has no channel 'DE'; it has: ch1, ch2"):
        read_recording(path, channel="DE")


def test_some_tracks_and_a_range(tmp_path: Path) -> None:
    source = open_recording(write(tmp_path, wav(signal(3), 32, code=3)), channel=["ch3", "ch1"])
    expected = signal(3).T[[2, 0], 500:900].astype(np.float32)
    np.testing.assert_array_equal(source.read(500, 900), expected)
    assert (source.kind, source.samples) == ("float32", SAMPLES)


def test_sizes_beyond_32_bits(tmp_path: Path) -> None:
    plain = wav(np.round(signal() * 2**15), 16)
    place = plain.index(b"data")
    sizes = riff(b"ds64", struct.pack("<QQQI", 0, SAMPLES * 4, SAMPLES, 0))
    data = b"data" + struct.pack("<I", 2**32 - 1) + plain[place + 8 :]
    path = write(tmp_path, b"RF64" + b"\xff" * 4 + b"WAVE" + sizes + plain[12:place] + data)
    assert read_recording(path).samples == SAMPLES
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(FaultdiagError, match="header states 2000 samples, 1900 are there"):
        read_recording(path)


SOUND = wav(np.round(signal() * 2**15), 16)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (SOUND[:-2000], "header states 2000 samples, 1500 are there; copy or download it again"),
        (SOUND[:-4], "header states 2000 samples, 1999 are there; copy or download it again"),
        (SOUND[: SOUND.index(b"data")], "it holds no chunk 'data' with samples"),
        (SOUND.replace(b"fmt ", b"fnt "), "it holds no chunk 'fmt' before the samples"),
        (SOUND[:20] + b"\x02" + SOUND[21:], "samples coded as ADPCM; save it as PCM of 8, 16, 24"),
        (SOUND[:34] + b"\x0c" + SOUND[35:], "samples coded as format 1 of 12 bits; save it"),
        (SOUND[:22] + b"\x03" + SOUND[23:], "header states 3 channels of 16 bits in 4 bytes at 12"),
        (b"AIFF" + SOUND[4:], r"is no WAV file: it begins with b'AIFFWAVE'; a WAV file begins"),
        (wav(np.zeros((0, 1)), 16), "it holds no samples"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(FaultdiagError, match=rf"a\.wav .*{said}"):
        list_variables(write(tmp_path, content))


@pytest.mark.parametrize("riff_length", [0, 0xFFFFFFFF])
@pytest.mark.parametrize("data_length", [0, 0xFFFFFFFF])
@pytest.mark.parametrize("rest", [b"", b"\1"])
def test_a_stream_of_unknown_length_is_read_to_its_end(
    tmp_path: Path, riff_length: int, data_length: int, rest: bytes
) -> None:
    x = signal(2) * 2**15
    content = bytearray(wav(x, 16))
    place = content.index(b"data") + 4
    content[4:8] = riff_length.to_bytes(4, "little")
    content[place : place + 4] = data_length.to_bytes(4, "little")
    path = tmp_path / "stream.wav"
    path.write_bytes(bytes(content) + rest)
    assert read_recording(path).samples == len(x)
