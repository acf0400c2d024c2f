"""Reading a dataset's entry: the file's signal with the catalogue's facts."""

from collections.abc import Sequence
from dataclasses import replace

from faultdiag.datasets.entry import Entry
from faultdiag.dsp import resample
from faultdiag.errors import FaultdiagError
from faultdiag.readers import read_recording
from faultdiag.recording import Recording


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
        The channels to read, in this order; no other is read or checked.
    sampling_rate
        Hz; None leaves the recording's own.

    Raises
    ------
    FaultdiagError
        If the file can't be read, lacks a channel, or has a constant one, or if nothing states
        its sampling rate.
    """
    recording = read_recording(entry.path, channel=channels)
    rate = recording.sampling_rate or entry.sampling_rate
    if rate is None:
        raise FaultdiagError(
            f"{entry.path}: neither the file nor the dataset states its sampling rate; "
            "state it where the dataset takes it (a column or an option 'sampling_rate')"
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
