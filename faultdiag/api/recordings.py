"""Read one recording with everything that is known of it."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from faultdiag.datasets.facts import Statement, resolve_facts
from faultdiag.readers.read import list_variables
from faultdiag.readers.read import read_recording as read_file
from faultdiag.signal.recording import Recording


def read_recording(
    path: str | os.PathLike[str],
    *,
    channel: str | Sequence[str] | None = None,
    sampling_rate: float | None = None,
    override_rate: bool = False,
) -> Recording:
    """Read the recording in a file, with its rate, speed and the facts of a catalogue.

    Sampling rate and shaft speed are those that the file states, else those that a catalogue of
    published recordings knows for these bytes (see `faultdiag.datasets.facts`).

    Parameters
    ----------
    path
        The file, of any format.
    channel
        One channel, several in the order wanted, or None for all.
    sampling_rate
        Hz, if nothing else states the rate of the file.
    override_rate
        Whether it wins over another rate in the file or a catalogue.

    Raises
    ------
    FaultdiagError
        If the file is missing, unreadable, damaged, of an unknown format, holds no such
        channel, or contradicts the sampling rate.
    """
    recording = read_file(path, channel=channel)
    facts = resolve_facts(
        Path(path),
        file=Statement(recording.sampling_rate, recording.rpm),
        user=Statement(sampling_rate, rate_place="sampling_rate"),
        variables=lambda: list_variables(path),
        samples=recording.samples,
        override=override_rate,
        remedy="override_rate=True",
    )
    return replace(
        recording,
        sampling_rate=facts.sampling_rate,
        rpm=facts.rpm,
        facts={**recording.facts, **facts.catalogue},
    )
