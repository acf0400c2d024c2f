"""Reading a dataset's entry: the file's signal with the catalogue's facts."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from faultdiag.datasets.base import Entry
from faultdiag.errors import FaultdiagError, did_you_mean
from faultdiag.readers.read import list_variables, read_recording
from faultdiag.signal.recording import Recording
from faultdiag.signal.resampling import resample


def load_entry(
    entry: Entry, channels: Sequence[str], sampling_rate: float | None = None
) -> Recording:
    """Give the recording of an entry, with these channels, at this sampling rate.

    The file's own rate and speed win; the entry's fill them where the file states none. A
    recording at another rate is resampled with an anti-alias filter.

    Parameters
    ----------
    entry
        The recording.
    channels
        The channels to read, in this order; no other is read or checked. The recording names
        them so, unless it was taken by their number alone: then it keeps its file's names.
    sampling_rate
        Hz; None leaves the recording's own.

    Raises
    ------
    FaultdiagError
        If the file can't be read, lacks a channel, or has a constant one, or if nothing states
        its sampling rate.
    """
    recording = read_entry(entry, channels)
    rate = recording.sampling_rate or entry.sampling_rate
    if rate is None:
        raise FaultdiagError(
            f"{entry.path}: neither the file nor the dataset states its sampling rate; "
            "state it where the dataset takes it (data.recorded_at, or a manifest's column "
            "'sampling_rate')"
        )
    recording.require_varying()
    signal = recording.signal
    if sampling_rate is not None and sampling_rate != rate:
        signal = resample(signal, rate, sampling_rate)
        rate = sampling_rate
    return replace(
        recording,
        signal=signal,
        sampling_rate=rate,
        rpm=recording.rpm or entry.rpm,
        facts={**recording.facts, **entry.facts},
    )


def read_entry(entry: Entry, channels: Sequence[str]) -> Recording:
    """Give the recording of an entry with these channels, and nothing but what its file states.

    Raises
    ------
    FaultdiagError
        If the file can't be read or lacks a channel.
    """
    if entry.columns:
        own = _columns(entry, channels)
        return replace(read_recording(entry.path, channel=own), channels=tuple(channels))
    if entry.channels:
        if len(entry.channels) != len(channels):
            raise FaultdiagError(
                f"{entry.path}: the dataset gives it the {_channels(entry.channels)}, and "
                f"data.channels asks for {len(channels)}: {', '.join(channels)}; give as many"
            )
        recording = read_recording(entry.path, channel=entry.channels)
        return replace(recording, channels=tuple(channels))
    try:
        recording = read_recording(entry.path, channel=channels)
    except FaultdiagError:
        own = _own_names(entry, channels) if entry.any_channel else []
        if not own:
            raise
        return read_recording(entry.path, channel=own)
    return replace(recording, channels=tuple(channels))


def _columns(entry: Entry, channels: Sequence[str]) -> list[str]:
    """Return the file's own names of channels that the dataset documents by their place."""
    own = channel_names(entry.path)
    for name in channels:
        if name not in entry.columns:
            raise FaultdiagError(
                f"data.channels asks for '{name}'{did_you_mean(name, entry.columns)}; the dataset "
                f"has: {', '.join(entry.columns)}"
            )
    places = [entry.columns[name] for name in channels]
    if any(not -len(own) <= place < len(own) for place in places):
        raise FaultdiagError(
            f"{entry.path} has {len(own)} channels; the dataset documents "
            f"{', '.join(entry.columns)}"
        )
    return [own[place] for place in places]


def channel_names(path: Path) -> list[str]:
    """Give the channels of a file from its header.

    Raises
    ------
    FaultdiagError
        If the file can't be read.
    """
    return [name for v in list_variables(path) if v.channel for name in v.channel.split(", ")]


def _own_names(entry: Entry, channels: Sequence[str]) -> list[str]:
    """Give the file's channels if none is among those asked for and there are as many."""
    own = channel_names(entry.path)
    known = {*own, *(variable.name for variable in list_variables(entry.path))}
    return own if len(own) == len(channels) and known.isdisjoint(channels) else []


def _channels(names: Sequence[str]) -> str:
    return f"{len(names)} channels {', '.join(names)}" if len(names) > 1 else f"channel {names[0]}"
