"""A vibration recording, and a segment of one."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faultdiag.documents import Document
from faultdiag.errors import FaultdiagError, did_you_mean, listed_names


def require_channels(source: Path, names: Iterable[str], known: Collection[str]) -> None:
    """Refuse channels that a recording doesn't have.

    Raises
    ------
    FaultdiagError
        Naming the first of them, the nearest known one, and up to twenty known ones.
    """
    for name in names:
        if name not in known:
            raise FaultdiagError(
                f"{source} has no channel '{name}'{did_you_mean(name, known)}; "
                f"it has: {listed_names(known)}"
            )


def _signal(signal: ArrayLike, source: Path, names: Sequence[str]) -> NDArray[np.float32]:
    values = np.asarray(signal)
    if values.ndim != 2 or 0 in values.shape:
        raise FaultdiagError(
            f"{source}: a signal must have the shape (channels, samples), both at least 1; "
            f"found {values.shape}"
        )
    if not np.issubdtype(values.dtype, np.number) or np.iscomplexobj(values):
        raise FaultdiagError(f"{source}: a signal must be real numbers; found {values.dtype}")
    with np.errstate(over="ignore"):  # what float32 can't hold becomes infinite, and is reported
        single = np.array(values, dtype=np.float32, order="C", copy=None)
    _require_finite(single, values, source, names)
    single = single.view()
    single.flags.writeable = False
    return single


def _require_finite(
    single: NDArray[np.float32], given: NDArray[np.generic], source: Path, names: Sequence[str]
) -> None:
    finite = np.isfinite(single)
    if finite.all():
        return
    channel, sample = np.argwhere(~finite)[0]
    name = names[channel] if channel < len(names) else channel
    what = "beyond 3.4e38" if np.isfinite(given).all() else "NaN or infinite"
    bad = int((~finite).sum())
    raise not_finite(source, bad, single.size, int(sample), str(name), what=what)


def require_positive(source: Path, name: str, value: float | None) -> None:
    """Check that sampling rate and speed are positive and finite.

    Raises
    ------
    FaultdiagError
        If it is neither None nor a positive number.
    """
    if value is not None and not (np.isfinite(value) and value > 0):
        raise FaultdiagError(f"{source}: {name} must be a positive number; found {value}")


def not_finite(
    source: Path,
    bad: int,
    size: int,
    sample: int,
    channel: str,
    *,
    what: str = "NaN or infinite",
) -> FaultdiagError:
    """Return the error for a recording with `bad` of `size` samples that are not numbers."""
    return FaultdiagError(
        f"{source}: {bad} of {size} samples are {what}, "
        f"the first at sample {sample} of channel {channel}; fix or delete them first"
    )


def constant(source: Path, channel: str, samples: int, value: float) -> FaultdiagError:
    """Return the error for a recording with a channel whose samples are all equal."""
    return FaultdiagError(
        f"{source}: channel {channel} is constant: all {samples} samples are "
        f"{value:g}; a vibration signal is needed (unplugged sensor?)"
    )


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One vibration recording: a signal and what is known about it.

    Parameters
    ----------
    signal
        Samples, ``(channels, samples)``; kept as read-only float32, in the file's own unit. An
        array that is C-contiguous float32 already is not copied.
    source
        The file it comes from; every error names it.
    channels
        One name per channel, such as ``("DE", "FE")``.
    sampling_rate
        Hz, or None where nothing states it.
    rpm
        Shaft speed in revolutions per minute, or None.
    facts
        Whatever else is known: load, fault, size, bearing.

    Raises
    ------
    FaultdiagError
        If the signal is not 2-D, not real or not finite, a rate or speed is not a positive
        number, or the names don't match the channels or are not distinct.
    """

    signal: NDArray[np.float32]
    source: Path
    channels: tuple[str, ...]
    sampling_rate: float | None = None
    rpm: float | None = None
    facts: Document = field(default_factory=dict)

    def __post_init__(self) -> None:
        source = Path(self.source)
        signal = _signal(self.signal, source, self.channels)
        if len(self.channels) != signal.shape[0]:
            raise FaultdiagError(
                f"{source}: {signal.shape[0]} channels but {len(self.channels)} names: "
                f"{', '.join(self.channels)}"
            )
        if len(set(self.channels)) < len(self.channels):
            raise FaultdiagError(
                f"{source}: two channels have the same name: {', '.join(self.channels)}; each "
                "needs its own"
            )
        for name, value in (("sampling rate", self.sampling_rate), ("rpm", self.rpm)):
            require_positive(source, name, value)
        object.__setattr__(self, "source", source)
        object.__setattr__(self, "signal", signal)
        object.__setattr__(self, "channels", tuple(self.channels))
        object.__setattr__(self, "facts", MappingProxyType(dict(self.facts)))

    @property
    def samples(self) -> int:
        """Number of samples per channel."""
        return int(self.signal.shape[1])

    def select(self, channels: Sequence[str]) -> "Recording":
        """Return the recording with these channels only, in this order.

        Raises
        ------
        FaultdiagError
            If it lacks one of them.
        """
        require_channels(self.source, channels, self.channels)
        rows = [self.channels.index(name) for name in channels]
        return replace(self, signal=self.signal[rows], channels=tuple(channels))

    def require_varying(self) -> None:
        """Refuse a recording with a constant channel: a dead sensor has nothing to diagnose.

        Raises
        ------
        FaultdiagError
            If all samples of a channel are equal; the message names channel and value.
        """
        for name, row in zip(self.channels, self.signal, strict=True):
            if row.min() == row.max():
                raise constant(self.source, name, row.size, row[0])


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """Samples ``start`` to ``stop`` (exclusive) of the recording with this index."""

    recording: int
    start: int
    stop: int

    @property
    def samples(self) -> int:
        """Number of samples."""
        return self.stop - self.start
