"""Bearing fault diagnosis from vibration recordings, with numbers that hold.

The same from Python as from the command line::

    run = faultdiag.train("configs/cwru_10class_0hp.yaml")
    diagnoser = faultdiag.load(run.folder)
    diagnosis = diagnoser.diagnose(faultdiag.read_recording("97.mat", sampling_rate=48000))

Names are imported when they are first used, so that ``import faultdiag`` is cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from faultdiag import attention, models
    from faultdiag.api.train import train
    from faultdiag.errors import FaultdiagError
    from faultdiag.prediction.diagnoser import load
    from faultdiag.readers.read import read_recording

__all__ = ["FaultdiagError", "attention", "load", "models", "read_recording", "train"]

_HOMES = {
    "FaultdiagError": "faultdiag.errors",
    "load": "faultdiag.prediction.diagnoser",
    "read_recording": "faultdiag.readers.read",
    "train": "faultdiag.api.train",
}


def __getattr__(name: str) -> Any:
    if name in {"attention", "models"}:
        return import_module(f"faultdiag.{name}")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'faultdiag' has no attribute '{name}'")
