"""Recordings from National Instruments' TDMS files, by the package nptdms."""

import logging
import re
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from faultdiag.documents import Document
from faultdiag.errors import (
    FaultdiagError,
    needs_extra,
)
from faultdiag.readers.base import (
    Reader,
    Variable,
    is_increment,
    is_rate,
    is_speed,
    plausible_rate,
    plausible_speed,
    rate_of_increment,
)
from faultdiag.readers.source import MOST_ARRAYS, DamageError, RecordingSource, reading
from faultdiag.signal.recording import require_channels

if TYPE_CHECKING:
    from nptdms import TdmsFile


_KIND = "TDMS file"
# Programs write numbers as text, with their unit: "25.6 kHz".
_NUMBER = re.compile(r"\s*+(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*+([A-Za-z]*)\s*$")
_FACTORS = {"khz": 1e3}
_SCALE_TYPE = re.compile(r"NI_Scale\[\d+\]_Scale_Type")
_SCALINGS = (
    *("Linear", "Polynomial", "Table", "Add", "Subtract", "RTD", "Strain", "Thermistor"),
    *("Thermocouple", "AdvancedAPI"),
)
_BLOCK = 2**19


def open_tdms(path: Path) -> Reader:
    """Return the reader of a TDMS file.

    Raises
    ------
    FaultdiagError
        If nptdms is not installed, or the file is no TDMS file, or damaged.
    """
    with path.open("rb") as file:
        head = file.read(4)
    if head != b"TDSm":
        raise FaultdiagError(
            f"{path} is no TDMS file: it begins with {head!r}; a TDMS file begins with b'TDSm'"
        )
    with needs_extra("tdms", f"{path} is a TDMS file"):
        import_module("nptdms")
    with reading(path, _KIND):
        return Tdms(path, tuple(_channels(path)))


@dataclass(frozen=True, slots=True)
class TdmsChannel:
    """One channel, by its header.

    Parameters
    ----------
    group, name
        Its place in the file.
    samples
        How many it has.
    dtype
        How they are stored.
    rates, speeds
        What its properties, its group's and the file's say of rate in Hz and speed in rpm.
    scaling
        The first kind of scaling that the library doesn't know, or an empty text.
    time
        When its waveform begins, UTC, or None.
    """

    group: str
    name: str
    samples: int
    dtype: np.dtype[np.generic]
    rates: tuple[float, ...]
    speeds: tuple[float, ...]
    scaling: str = ""
    time: datetime | None = None


@dataclass(frozen=True)
class Tdms:
    """The channels of a TDMS file, named as there, or ``group/channel`` where that is not unique.

    The sampling rate is ``1 / wf_increment`` of the waveform, else what a property such as
    ``SamplingRate`` says. Numbers come scaled as the file says how.

    Parameters
    ----------
    path
        The file.
    channels
        Its channels.
    """

    path: Path
    channels: tuple[TdmsChannel, ...]

    def variables(self) -> list[Variable]:
        """Return the channels."""
        names = {id(channel): name for name, channel in self._signals.items()}
        return [
            Variable(f"{c.group}/{c.name}", (c.samples,), c.dtype.name, names.get(id(c)))
            for c in self.channels
        ]

    def source(self, channels: Sequence[str] | None) -> RecordingSource:
        """Return these channels (all for None) as an opened recording.

        Raises
        ------
        FaultdiagError
            If there is no such channel, or they differ in length or rate.
        """
        known = self._signals
        if not known:
            listed = ", ".join(map(str, self.variables())) or "none"
            raise FaultdiagError(
                f"{self.path} holds no signal: one channel of real numbers is needed; "
                f"its channels: {listed}"
            )
        names = tuple(known if channels is None else channels)
        require_channels(self.path, names, known)
        chosen = [known[name] for name in names]
        self._require_scalings(chosen)
        self._require_one("length in samples", names, [c.samples for c in chosen])
        rates = [plausible_rate(c.rates) for c in chosen]
        self._require_one("sampling rate in Hz", names, rates)
        rpm = plausible_speed(chain.from_iterable(c.speeds for c in chosen))
        kinds = ", ".join(dict.fromkeys(c.dtype.name for c in chosen))
        places = TdmsSamples(self.path, tuple((c.group, c.name) for c in chosen))
        return RecordingSource(
            self.path, names, chosen[0].samples, rates[0], rpm, kinds, _KIND, places, chosen[0].time
        )

    def _require_scalings(self, chosen: Sequence[TdmsChannel]) -> None:
        for channel in chosen:
            if channel.scaling:
                raise FaultdiagError(
                    f"{self.path}: channel {channel.name} is scaled by '{channel.scaling}', which "
                    f"is not known here; known: {', '.join(_SCALINGS)}; export the channel with "
                    "its scaled values"
                )

    @cached_property
    def _signals(self) -> dict[str, TdmsChannel]:
        signals = [c for c in self.channels if c.dtype.kind in "fiu" and c.samples > 1]
        plain = Counter(c.name for c in signals)
        return {c.name if plain[c.name] == 1 else f"{c.group}/{c.name}": c for c in signals}

    def _require_one(self, what: str, names: Sequence[str], values: Sequence[object]) -> None:
        if len(set(values)) > 1:
            listed = ", ".join(f"{n} has {v}" for n, v in zip(names, values, strict=True))
            raise FaultdiagError(
                f"{self.path}: its channels differ in {what}: {listed}; read one channel at a time"
            )


@dataclass(frozen=True, slots=True)
class TdmsSamples:
    """The samples of some channels; each range opens the file again."""

    path: Path
    places: tuple[tuple[str, str], ...]

    def blocks(self, start: int, stop: int) -> Iterator[NDArray[np.generic]]:
        """Yield the samples from `start` to `stop` in pieces ``(channels, n)``, in order."""
        with self.path.open("rb") as raw, _opened(raw) as file:
            for first in range(start, stop, _BLOCK):
                last = min(first + _BLOCK, stop)
                piece = np.empty((len(self.places), last - first), np.float32)
                for row, (group, name) in zip(piece, self.places, strict=True):
                    values = file[group][name].read_data(first, last - first)
                    if len(values) < last - first:
                        raise DamageError(f"{name} ends early")
                    row[:] = values
                yield piece


@contextmanager
def _opened(raw: BinaryIO) -> "Iterator[TdmsFile]":
    """Open a TDMS file; what nptdms raises for a broken one is damage.

    It trusts what it reads, and says so by whatever fails next.
    """
    from nptdms import TdmsFile
    from nptdms.log import log_manager

    # What it has to say of a damaged file is said once, by the error.
    log_manager.set_level(logging.CRITICAL)
    try:
        # Given the file and not its path, it looks for no index file beside it.
        with TdmsFile.open(raw) as file:
            yield file
    except (
        *(ArithmeticError, AttributeError, LookupError, NotImplementedError, RuntimeError),
        *(TypeError, ValueError, struct.error, EOFError),
    ) as error:
        reason = str(error) or type(error).__name__
        raise DamageError(reason.splitlines()[0]) from error


def _channels(path: Path) -> Iterator[TdmsChannel]:
    size = path.stat().st_size
    with path.open("rb") as raw, _opened(raw) as file:
        if file.file_status.incomplete_final_segment:
            raise DamageError("it ends within its last segment")
        if (count := sum(len(group) for group in file.groups())) > MOST_ARRAYS:
            raise DamageError(f"it holds {count} channels, more than {MOST_ARRAYS}")
        for group in file.groups():
            for channel in group.channels():
                dtype = np.dtype(channel.dtype)
                samples = len(channel)
                if samples * max(dtype.itemsize, 1) > size:
                    raise DamageError(f"{channel.name} states {samples} samples in {size} bytes")
                owners = (channel.properties, group.properties, file.properties)
                yield TdmsChannel(
                    group.name,
                    channel.name,
                    samples,
                    dtype,
                    tuple(_rates(owners)),
                    tuple(_numbers(owners, is_speed)),
                    _unknown_scaling(owners),
                    _start(channel.properties),
                )


def _start(properties: Document) -> datetime | None:
    """Return when a waveform begins; none before 1970, as clocks that were never set state."""
    value = properties.get("wf_start_time")
    if not isinstance(value, np.datetime64) or np.isnat(value):
        return None
    time = value.astype("datetime64[us]").item()
    return time if isinstance(time, datetime) and time.year >= 1970 else None


def _unknown_scaling(owners: Sequence[Document]) -> str:
    """Return the first kind of scaling that nptdms would leave out with no more than a log."""
    of_scales = next((p for p in owners if "NI_Number_Of_Scales" in p), {})
    if of_scales.get("NI_Scaling_Status") == "scaled":
        return ""
    kinds = [str(v) for n, v in of_scales.items() if _SCALE_TYPE.fullmatch(n)]
    return next((kind for kind in kinds if kind not in _SCALINGS), "")


def _rates(owners: Sequence[Document]) -> list[float]:
    increment = owners[0].get("wf_increment")
    if isinstance(increment, float) and increment > 0:
        return [rate_of_increment(increment, rounding=1e-9)]
    steps = [rate_of_increment(step) for step in _numbers(owners, is_increment) if step > 0]
    return list(_numbers(owners, is_rate)) or steps


def _numbers(owners: Sequence[Document], named: Any) -> Iterator[float]:
    for properties in owners:
        for name, value in properties.items():
            if not named(name):
                continue
            if isinstance(value, int | float | np.number):
                yield float(value)
            elif isinstance(value, str) and (number := _NUMBER.match(value)):
                yield float(number[1]) * _FACTORS.get(number[2].lower(), 1.0)
