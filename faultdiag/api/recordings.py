"""Read and diagnose recordings with everything that is known of them."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faultdiag.datasets.facts import Statement, resolve_facts
from faultdiag.readers.read import list_variables, nothing_in, recordings_in
from faultdiag.readers.read import read_recording as read_file
from faultdiag.signal.recording import Recording

if TYPE_CHECKING:
    from faultdiag.prediction.diagnoser import Diagnoser, Input
    from faultdiag.prediction.events import Diagnosis


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


def predict(
    model: "Diagnoser | Path | str",
    recordings: "Input | Sequence[Input]",
    *,
    channel: str | None = None,
    sampling_rate: float | None = None,
    rpm: float | None = None,
    bearing: str | None = None,
    evidence: bool = False,
    device: str = "auto",
) -> "list[Diagnosis]":
    """Return one diagnosis for each recording.

    Parameters
    ----------
    model
        A `Diagnoser`, or the run folder, checkpoint or ONNX file to load one from.
    recordings
        Files, folders of files, `Recording` objects or arrays; one, or several in a list.
    channel, sampling_rate, rpm, bearing, evidence
        As for `Diagnoser.predict`.
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; for a model that is loaded here.

    Raises
    ------
    FaultdiagError
        If the model cannot be loaded, or one of the recordings cannot be diagnosed.
        `faultdiag predict` writes a row with the error instead, and does the others.
    """
    from faultdiag.prediction.diagnoser import Diagnoser, load

    diagnoser = model if isinstance(model, Diagnoser) else load(model, device=device)
    items: Sequence[Any] = recordings if isinstance(recordings, (list, tuple)) else [recordings]
    return diagnoser.predict(
        [file for item in items for file in _files(item)],
        channel=channel,
        sampling_rate=sampling_rate,
        rpm=rpm,
        bearing=bearing,
        evidence=evidence,
    )


def _files(item: "Input") -> "list[Input]":
    """Return the recordings of a folder, or the item itself."""
    if not isinstance(item, (str, Path)) or not Path(item).is_dir():
        return [item]
    files = recordings_in(Path(item))
    if not files:
        raise nothing_in(Path(item))
    return list(files)
