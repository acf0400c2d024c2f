"""Writing the signals of a prepared folder: every recording at one rate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

from tqdm import tqdm

from faultdiag.config import Config
from faultdiag.datasets import Entry, load_entry
from faultdiag.prepared import PreparedRecording, Writer
from faultdiag.recording import Recording
from faultdiag.resampling import resample
from faultdiag.sharing.duplicates import Duplicate, Fingerprints


@dataclass(frozen=True)
class Written:
    """What was written, and what was seen of it.

    Parameters
    ----------
    recordings
        The recordings in their order.
    unnamed
        The channels of those that don't call them as the config does.
    duplicates
        Signals that stand in two of them.
    """

    recordings: list[PreparedRecording]
    unnamed: Mapping[str, Sequence[str]]
    duplicates: list[Duplicate]


def write_signals(
    folder: Path,
    config: Config,
    entries: Sequence[Entry],
    labels: Sequence[str],
    hashes: Sequence[str],
) -> Written:
    """Write the recordings at the config's rate, one after the other."""
    rows = list(zip(entries, labels, hashes, strict=True))
    recordings: list[PreparedRecording] = []
    unnamed: dict[str, Sequence[str]] = {}
    prints = Fingerprints()
    with (folder / "signals.npy").open("wb") as file:
        writer = Writer(file)
        for entry, label, digest in tqdm(rows, "preparing", unit="recording", disable=None):
            recording = load_entry(entry, config.data.channels)
            prints.add(recording.signal)
            if recording.channels != config.data.channels:
                unnamed[entry.name] = recording.channels
            fitted = _at_rate(recording, config.data.sampling_rate)
            recordings.append(
                PreparedRecording(
                    name=entry.name,
                    source=str(entry.path),
                    sha256=digest,
                    label=label,
                    samples=fitted.samples,
                    offset=writer.append(fitted),
                    rpm=fitted.rpm,
                    recorded_at=recording.sampling_rate or config.data.sampling_rate,
                    facts=dict(fitted.facts),
                )
            )
        writer.finish()
    return Written(recordings, unnamed, _find_duplicates(config, entries, recordings, prints))


def _find_duplicates(
    config: Config,
    entries: Sequence[Entry],
    recordings: Sequence[PreparedRecording],
    prints: Fingerprints,
) -> list[Duplicate]:
    """Give what stands twice, as recorded: an excerpt resampled is no excerpt of the resampled."""
    rate = config.data.sampling_rate
    minimum = [ceil(config.window.length * row.recorded_at / rate) for row in recordings]
    return prints.find(lambda i: load_entry(entries[i], config.data.channels).signal, minimum)


def _at_rate(recording: Recording, rate: float) -> Recording:
    if recording.sampling_rate is None or recording.sampling_rate == rate:
        return recording
    signal = resample(recording.signal, recording.sampling_rate, rate)
    return replace(recording, signal=signal, sampling_rate=rate)
