"""Read a dataset's entry: the file's signal with the facts that hold for it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from faultdiag.datasets.base import Entry
from faultdiag.datasets.facts import Facts, Statement, choose_channels, resolve_facts
from faultdiag.errors import FaultdiagError, counted, did_you_mean
from faultdiag.readers.base import channels_of
from faultdiag.readers.read import list_variables, open_recording, read_recording
from faultdiag.readers.source import RecordingSource
from faultdiag.signal.recording import Recording
from faultdiag.signal.resampling import resample


def load_entry(
    entry: Entry, channels: Sequence[str], sampling_rate: float | None = None
) -> Recording:
    """Read the recording of an entry, with these channels, at this sampling rate.

    Rate and speed come from where `entry_facts` finds them. A recording at another rate is
    resampled with an anti-alias filter.

    Parameters
    ----------
    entry
        The recording.
    channels
        The channels to read, in this order; no other is read or checked. The recording names
        them so, unless they were chosen by their number alone: then it keeps its file's names.
    sampling_rate
        Hz; None leaves the recording's own.

    Raises
    ------
    FaultdiagError
        If the file can't be read, lacks a channel, or has a constant one, if nothing states its
        sampling rate, or what is stated contradicts itself.
    """
    recording = read_entry(entry, channels)
    facts = entry_facts(entry, recording)
    rate = facts.sampling_rate
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
        rpm=facts.rpm,
        facts={**recording.facts, **entry.facts},
    )


def entry_facts(entry: Entry, recording: Recording | RecordingSource) -> Facts:
    """Return rate and speed of an entry whose file was opened; see `faultdiag.datasets.facts`.

    Raises
    ------
    ContradictionError
        If the user contradicts the file or a catalogue.
    """
    by_user = Statement(
        entry.sampling_rate if entry.rate_place else None,
        entry.rpm if entry.rpm_place else None,
        entry.rate_place,
        entry.rpm_place,
    )
    by_set = {
        "sampling_rate": None if entry.rate_place else entry.sampling_rate,
        "rpm": None if entry.rpm_place else entry.rpm,
    }
    # Windows were cut from a file that no catalogue can know.
    of_set = not (entry.rate_place or entry.rpm_place) or entry.rows is not None
    return resolve_facts(
        entry.path,
        file=Statement(recording.sampling_rate, recording.rpm),
        user=by_user,
        variables=lambda: list_variables(entry.path),
        samples=recording.samples,
        catalogue=by_set if of_set else None,
        override=entry.override_rate,
        remedy="--override-rate or data.override_rate: true",
    )


def read_entry(entry: Entry, channels: Sequence[str]) -> Recording:
    """Read the recording of an entry with these channels, and nothing but what its file states.

    Raises
    ------
    FaultdiagError
        If the file can't be read or lacks a channel.
    """
    if entry.rows is not None:
        return entry.rows.recording(entry, channels)
    own = _own_channels(entry, channels)
    recording = read_recording(entry.path, channel=own)
    by_name = entry.columns or entry.channels or set(own) == set(channels)
    return replace(recording, channels=tuple(channels)) if by_name else recording


def open_entry(entry: Entry, channels: Sequence[str]) -> RecordingSource:
    """Return the recording of an entry with its samples left in the file.

    Raises
    ------
    FaultdiagError
        If the file can't be opened or lacks a channel.
    """
    return open_recording(entry.path, channel=_own_channels(entry, channels))


def _own_channels(entry: Entry, channels: Sequence[str]) -> Sequence[str]:
    """Return the names that an entry's file has for these channels."""
    if entry.columns:
        return _columns(entry, channels)
    variables = list_variables(entry.path)
    return choose_channels(
        entry.path,
        channels_of(variables),
        channels,
        aliases=[variable.name for variable in variables],
        stated=entry.channels,
        by_number=entry.any_channel,
        who="data.channels asks for",
        remedy="name one of them in data.channels, or each file's own in a manifest",
    )


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
            f"{entry.path} has {counted(len(own), 'channel')}; the dataset documents "
            f"{', '.join(entry.columns)}"
        )
    return [own[place] for place in places]


def channel_names(path: Path) -> list[str]:
    """Return the channels of a file from its header.

    Raises
    ------
    FaultdiagError
        If the file can't be read.
    """
    return channels_of(list_variables(path))
