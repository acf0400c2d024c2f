"""Whether the sampling rates that a dataset states fit the shaft speeds of its recordings."""

from collections.abc import Sequence
from dataclasses import dataclass

from tqdm import tqdm

from faultdiag.datasets import Entry, load_entry
from faultdiag.inspection.ratecheck import RateCheck, check_channels

MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class StatedRate:
    """What the shaft orders say of the sampling rate stated for one recording.

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
    """Check the rate of each recording, as recorded, with the speed of its file or the dataset.

    Parameters
    ----------
    channels
        The channels to look at.

    Raises
    ------
    FaultdiagError
        If a file can't be read, lacks a channel, or nothing states its rate.
    """
    return [
        stated_rate(entry, channels)
        for entry in tqdm(entries, "checking rates", unit="recording", disable=None)
    ]


def stated_rate(entry: Entry, channels: Sequence[str]) -> StatedRate:
    """Check the rate of one recording; see `survey_rates`."""
    recording = load_entry(entry, channels)
    # load_entry refuses a recording whose rate nothing states.
    rate = float(recording.sampling_rate or 0.0)
    if recording.rpm is None:
        check = RateCheck("undecided", None, "the shaft speed is not known")
    else:
        check = check_channels(recording.signal, recording.channels, rate, recording.rpm)
    return StatedRate(entry.name, rate, check)


def rate_lines(rates: Sequence[StatedRate]) -> list[str]:
    """Say how many of the rates fit, and name each recording whose rate doesn't."""
    by_verdict = {
        verdict: [rate for rate in rates if rate.check.verdict == verdict]
        for verdict in ("consistent", "contradicted", "undecided")
    }
    counts = ", ".join(f"{len(found)} {verdict}" for verdict, found in by_verdict.items())
    undecided = [rate.name for rate in by_verdict["undecided"]]
    more = f" and {len(undecided) - MOST_NAMED} more" if len(undecided) > MOST_NAMED else ""
    named = f" ({', '.join(undecided[:MOST_NAMED])}{more})" if undecided else ""
    lines = [f"sampling rates against shaft orders: {counts}{named}"]
    wrong: dict[tuple[float, float | None], list[str]] = {}
    for found in by_verdict["contradicted"]:
        wrong.setdefault((found.rate, found.check.suggested), []).append(found.name)
    return lines + [
        f"RATE: stated to be sampled at {stated:g} Hz, but the shaft orders fit {fitting:g} Hz: "
        + ", ".join(names)
        for (stated, fitting), names in wrong.items()
    ]
