"""Recordings from WAV files: RIFF and RF64, whole numbers of 8 to 32 bits, floats.

References
----------
.. [1] Microsoft and IBM, "Multimedia Programming Interface and Data Specifications 1.0", 1991:
   the chunks of a RIFF file and the header of PCM.
.. [2] EBU Tech 3306, "RF64: An extended file format for audio", 2018,
   https://tech.ebu.ch/docs/tech/tech3306.pdf: sizes beyond 4 GiB, in the chunk ds64.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError, counted
from faultdiag.readers.base import Reader, Variable
from faultdiag.readers.source import MOST_CHANNELS, DamageError, RawTable, RecordingSource, reading
from faultdiag.signal.recording import require_channels

_KIND = "WAV file"
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_CODES = {2: "ADPCM", 6: "A-law", 7: "µ-law", 17: "IMA ADPCM", 80: "MPEG", 85: "MP3"}
# How samples are stored, by format and bits; three bytes are read as they are.
_STORED = {
    (_PCM, 8): "u1",
    (_PCM, 16): "<i2",
    (_PCM, 24): "V3",
    (_PCM, 32): "<i4",
    (_FLOAT, 32): "<f4",
    (_FLOAT, 64): "<f8",
}
_IN_DS64 = 0xFFFFFFFF
_MOST_CHUNKS = 10_000
# Numbers converted at a time.
_BLOCK = 2**19


@dataclass(frozen=True, slots=True)
class WavHeader:
    """The content of the chunk ``fmt``, and the place of the samples."""

    format: int
    channels: int
    sampling_rate: int
    bits: int
    offset: int
    samples: int

    @property
    def kind(self) -> str:
        """The format of the samples, in words."""
        if self.format == _FLOAT:
            return f"float{self.bits}"
        return "uint8" if self.bits == 8 else f"int{self.bits}"


def open_wav(path: Path) -> Reader:
    """Return the reader of a WAV file.

    Raises
    ------
    FaultdiagError
        If it is no WAV file, holds anything but plain samples, or less than its header says.
    """
    with reading(path, _KIND):
        return Wav(path, _header(path))


@dataclass(frozen=True, slots=True)
class Wav:
    """The tracks of a WAV file, as the channels ch1, ch2 and so on.

    Whole numbers are divided by their full scale (2^15 for 16 bits), so that samples lie within
    ±1; floats are taken as they are. The unit of the measurement is not in the file.
    """

    path: Path
    header: WavHeader

    def variables(self) -> list[Variable]:
        """Return the tracks."""
        return [Variable(n, (self.header.samples,), self.header.kind, n) for n in self._names]

    def source(self, channels: Sequence[str] | None) -> RecordingSource:
        """Return these channels (all for None) as an opened recording.

        Raises
        ------
        FaultdiagError
            If there is no such channel.
        """
        head, known = self.header, self._names
        if channels is None and len(known) > MOST_CHANNELS:
            raise FaultdiagError(
                f"{self.path} has {len(known)} channels; at most {MOST_CHANNELS} are read "
                "together: choose some with --channel"
            )
        names = tuple(known if channels is None else channels)
        require_channels(self.path, names, known)
        place = {name: number for number, name in enumerate(known)}
        tracks = WavTracks(self.path, head, tuple(place[name] for name in names))
        return RecordingSource(
            self.path,
            names,
            head.samples,
            float(head.sampling_rate),
            None,
            head.kind,
            _KIND,
            tracks,
        )

    @property
    def _names(self) -> list[str]:
        return [f"ch{i + 1}" for i in range(self.header.channels)]


@dataclass(frozen=True, slots=True)
class WavTracks:
    """The samples of some tracks of a WAV file, whole numbers within ±1."""

    path: Path
    header: WavHeader
    tracks: tuple[int, ...]

    def blocks(self, start: int, stop: int) -> Iterator[NDArray[np.generic]]:
        """Yield the samples from `start` to `stop` in pieces ``(channels, n)``, in order."""
        head = self.header
        dtype = np.dtype(_STORED[head.format, head.bits])
        raw = RawTable(self.path, head.offset, dtype, head.samples, head.channels, True)
        step = max(1, _BLOCK // head.channels)
        for first in range(start, stop, step):
            values = raw.block(self.tracks, first, min(first + step, stop))
            yield values if head.format == _FLOAT else _scaled(values, head.bits)


def _scaled(values: NDArray[Any], bits: int) -> NDArray[np.floating]:
    """Return whole numbers as shares of their full scale; eight bits have their zero at 128."""
    if bits == 8:
        return (values.astype(np.float32) - 128) / 128
    if bits == 24:
        values = _from_three_bytes(values)
    return values / 2.0 ** (values.dtype.itemsize * 8 - 1)


def _from_three_bytes(values: NDArray[np.generic]) -> NDArray[np.int32]:
    """Return numbers of 24 bits in the upper bits of 32, where their sign is that of the word."""
    wide = np.zeros((*values.shape, 4), np.uint8)
    wide[..., 1:] = np.ascontiguousarray(values).view(np.uint8).reshape(*values.shape, 3)
    return wide.view("<i4")[..., 0]


def _header(path: Path) -> WavHeader:
    size = path.stat().st_size
    with path.open("rb") as file:
        form, form_length, wave = struct.unpack("<4sI4s", file.read(12))
        if form not in (b"RIFF", b"RF64") or wave != b"WAVE":
            raise FaultdiagError(
                f"{path} is no WAV file: it begins with {form + wave!r}; a WAV file begins with "
                "'RIFF' and 'WAVE'"
            )
        form_chunk, long_data = None, None
        for name, length, position in _chunks(file, size):
            if name == b"ds64" and form == b"RF64":
                (long_data,) = struct.unpack("<8xQ", file.read(16))
            elif name == b"fmt ":
                form_chunk = file.read(min(length, 40))
            elif name == b"data":
                count = _data_length(length, form_length, long_data)
                if count is None:
                    count = _whole_samples(form_chunk, size - position)
                return _checked(path, form_chunk, position, count, size)
    raise DamageError("it holds no chunk 'data' with samples")


def _data_length(length: int, form_length: int, long_data: int | None) -> int | None:
    """Return the bytes of samples; None for a stream, whose writer did not know its length.

    Parameters
    ----------
    length, form_length
        As the chunk ``data`` and the whole form state them.
    long_data
        As the chunk ``ds64`` of an RF64 file states it.
    """
    if length == _IN_DS64:
        return long_data
    return None if length == 0 and form_length in (0, _IN_DS64) else length


def _is_unknown(length: int, form_length: int) -> bool:
    """Return whether this is a stream, which was written without knowing its length."""
    return length == _IN_DS64 or (length == 0 and form_length in (0, _IN_DS64))


def _chunks(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, length and start of the chunks of a file, which is then at their start."""
    position = 12
    for _ in range(_MOST_CHUNKS):
        if position + 8 > size:
            return
        file.seek(position)
        name, length = struct.unpack("<4sI", file.read(8))
        yield name, length, position + 8
        position += 8 + length + length % 2


def _whole_samples(chunk: bytes | None, there: int) -> int:
    """Return the bytes of whole samples among those that are there."""
    (width,) = struct.unpack_from("<H", chunk, 12) if chunk and len(chunk) >= 14 else (1,)
    return there - there % max(int(width), 1)


def _checked(path: Path, chunk: bytes | None, offset: int, length: int, size: int) -> WavHeader:
    if chunk is None:
        raise DamageError("it holds no chunk 'fmt' before the samples")
    code, channels, rate, _, width, bits = struct.unpack_from("<HHIIHH", chunk)
    if code == _EXTENSIBLE:
        (code,) = struct.unpack_from("<H", chunk, 24)
    if (code, bits) not in _STORED:
        encoding = _CODES.get(code, f"format {code} of {bits} bits")
        raise FaultdiagError(
            f"{path} holds samples coded as {encoding}; save it as PCM of 8, 16, 24 or 32 bits, "
            "or as float"
        )
    if channels == 0 or rate == 0 or width != channels * bits // 8:
        raise DamageError(
            f"its header states {counted(channels, 'channel')} of {counted(bits, 'bit')} in "
            f"{width} bytes at {rate} Hz"
        )
    if length > size - offset:
        raise DamageError(
            f"its header states {counted(length // width, 'sample')}, {(size - offset) // width} "
            "are there"
        )
    if length < width:
        raise DamageError("it holds no samples")
    if length % width:
        raise DamageError(f"its samples take {length} bytes, no multiple of {width} for all tracks")
    return WavHeader(code, channels, rate, bits, offset, length // width)
