"""Diagnose recordings with a trained model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from faultdiag.prediction.diagnoser import Diagnoser, Input, load
from faultdiag.prediction.events import Diagnosis
from faultdiag.readers.read import nothing_in, recordings_in


def predict(
    model: Diagnoser | Path | str,
    recordings: Input | Sequence[Input],
    *,
    channel: str | None = None,
    sampling_rate: float | None = None,
    rpm: float | None = None,
    bearing: str | None = None,
    evidence: bool = False,
    device: str = "auto",
) -> list[Diagnosis]:
    """Return one diagnosis for each recording.

    Parameters
    ----------
    model
        A `Diagnoser`, or the run folder, checkpoint or ONNX file to load one from.
    recordings
        Files, folders of files, `Recording` objects or arrays; one, or several in a list.
    channel, sampling_rate, rpm, bearing, evidence
        As of `Diagnoser.predict`.
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; for a model that is loaded here.

    Raises
    ------
    FaultdiagError
        If the model cannot be loaded, or one of the recordings cannot be diagnosed.
        `faultdiag predict` writes a row with the error instead, and does the others.
    """
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


def _files(item: Input) -> list[Input]:
    """Return the recordings of a folder, or the item itself."""
    if not isinstance(item, (str, Path)) or not Path(item).is_dir():
        return [item]
    files = recordings_in(Path(item))
    if not files:
        raise nothing_in(Path(item))
    return list(files)
