"""Check the sampling rates that a dataset states against the shaft speeds of its recordings."""

from collections.abc import Sequence
from dataclasses import dataclass

from tqdm import tqdm

from faultdiag.datasets.base import Entry
from faultdiag.datasets.load import load_entry
from faultdiag.evidence.rate_check import RateCheck, check_channels


@dataclass(frozen=True, slots=True)
class StatedRate:
    """The check of the sampling rate stated for one recording.

    Parameters
    ----------
    name
        The recording.
    rate
        Hz, as the file or the dataset states it.
    check
        The verdict.
    """

    name: str
    rate: float
    check: RateCheck


def survey_rates(entries: Sequence[Entry], channels: Sequence[str]) -> list[StatedRate]:
    """Check the rate of each recording, with the speed that its file or the dataset states.

    Parameters
    ----------
    entries
        The recordings.
    channels
        The channels to look at.

    Raises
    ------
    FaultdiagError
        If a file can't be read, lacks a channel, or nothing states its rate.
    """
    return [
        check_stated_rate(entry, channels)
        for entry in tqdm(entries, "checking rates", unit="recording", disable=None)
    ]


def check_stated_rate(entry: Entry, channels: Sequence[str]) -> StatedRate:
    """Check the rate of one recording; see `survey_rates`."""
    recording = load_entry(entry, channels)
    # load_entry refuses a recording whose rate nothing states.
    rate = float(recording.sampling_rate or 0.0)
    if recording.rpm is None:
        check = RateCheck("undecided", None, "the shaft speed is not known")
    else:
        check = check_channels(recording.signal, recording.channels, rate, recording.rpm)
    return StatedRate(entry.name, rate, check)
