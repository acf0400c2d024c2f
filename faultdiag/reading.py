"""What is done to a recording before a model sees it: read, choose its channels, resample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faultdiag import dsp
from faultdiag.datasets import identify, identify_by_name
from faultdiag.errors import FaultdiagError
from faultdiag.readers import list_variables, read_recording
from faultdiag.recording import Recording


@dataclass(frozen=True, slots=True)
class Asked:
    """A file to diagnose, and what is said of it.

    Parameters
    ----------
    path
        The recording.
    channel
        Channel to read, or several with commas between; the model's own unless given.
    sampling_rate
        Hz, for a file that doesn't state it and that no catalogue knows.
    rpm
        Shaft speed, likewise.
    """

    path: Path
    channel: str | None = None
    sampling_rate: float | None = None
    rpm: float | None = None


@dataclass(frozen=True, slots=True)
class Needs:
    """What a model takes: the names of its channels and its sampling rate in Hz."""

    channels: tuple[str, ...]
    sampling_rate: float


@dataclass(frozen=True, slots=True)
class Ready:
    """A recording at the model's sampling rate.

    ``signal`` is ``(channels, samples)``; ``recorded_at`` is its own sampling rate in Hz, and
    ``rate_source`` says who states that: ``file``, ``catalogue``, ``argument`` or ``assumed``.
    """

    signal: NDArray[np.float32]
    path: Path
    channels: tuple[str, ...]
    sampling_rate: float
    rpm: float | None
    recorded_at: float
    rate_source: str

    @property
    def recording(self) -> Recording:
        """The recording that a model diagnoses."""
        return Recording(self.signal, self.path, self.channels, self.sampling_rate, self.rpm)


def make_ready(asked: Asked, needs: Needs) -> Ready:
    """Read the recording in a file and resample it to the model's rate.

    Raises
    ------
    FaultdiagError
        If the file can't be read, hasn't the model's channels, or one of them is constant.
    """
    recording = _read(asked, needs.channels)
    rate, source, rpm = _facts(asked, recording, needs)
    recording.require_varying()
    return Ready(
        signal=dsp.resample(recording.signal, rate, needs.sampling_rate),
        path=recording.source,
        channels=recording.channels,
        sampling_rate=needs.sampling_rate,
        rpm=rpm,
        recorded_at=rate,
        rate_source=source,
    )


def try_ready(asked: Asked, needs: Needs) -> Ready | str:
    """Give what `make_ready` does, or the message of its error, on one line."""
    try:
        return make_ready(asked, needs)
    except FaultdiagError as error:
        return one_line(error)
    except MemoryError:
        return f"{asked.path} does not fit into the memory; cut it into shorter recordings"


def one_line(error: FaultdiagError) -> str:
    """Give the message of an error on one line."""
    return " ".join(str(error).split())


def choose(recording: Recording, channels: Sequence[str]) -> Recording:
    """Give the recording with a model's channels: by name, or the only ones there are.

    Raises
    ------
    FaultdiagError
        If they are not there by name and their number differs.
    """
    if set(channels) <= set(recording.channels):
        return recording.select(channels)
    if len(recording.channels) != len(channels):
        raise FaultdiagError(
            f"{recording.source} has {len(recording.channels)} channels "
            f"({', '.join(recording.channels)}), the model was trained on "
            f"{len(channels)} ({', '.join(channels)}); choose with --channel"
        )
    return recording


def _read(asked: Asked, channels: tuple[str, ...]) -> Recording:
    """Read the channel asked for, else the model's own where the file has them, else all."""
    path = asked.path
    if asked.channel is not None:
        names = [name.strip() for name in asked.channel.split(",")]
        return choose(read_recording(path, channel=names), channels)
    present = {
        name for variable in list_variables(path) for name in (variable.channel or "").split(", ")
    }
    wanted = channels if set(channels) <= present else None
    return choose(read_recording(path, channel=wanted), channels)


def _facts(asked: Asked, recording: Recording, needs: Needs) -> tuple[float, str, float | None]:
    """Give the sampling rate of a recording, who states it, and its speed."""
    known = recording.sampling_rate is not None and recording.rpm is not None
    facts = {} if known else identify(asked.path) or {}
    guess = {} if known or facts else _by_name(asked.path)
    rate, source = _first(
        ("file", recording.sampling_rate),
        ("catalogue", facts.get("sampling_rate")),
        ("argument", asked.sampling_rate),
        # An altered copy: its name and variables say less than whoever gave a rate.
        ("catalogue, by name", guess.get("sampling_rate")),
        ("assumed", needs.sampling_rate),
    )
    return rate, source, recording.rpm or facts.get("rpm") or asked.rpm or guess.get("rpm")


def _by_name(path: Path) -> Mapping[str, Any]:
    known = identify_by_name(path, [variable.name for variable in list_variables(path)])
    return {} if known is None else known.facts


def _first(*sources: tuple[str, float | None]) -> tuple[float, str]:
    """Give the first rate that is known, and who states it; the last one always is."""
    return next((float(value), name) for name, value in sources if value is not None)
