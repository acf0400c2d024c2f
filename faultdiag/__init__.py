"""Bearing fault diagnosis from vibration recordings.

The same from Python as from the command line::

    run = faultdiag.train("configs/cwru_10class_0hp.yaml", train__epochs=5)
    diagnoser = faultdiag.load(run.folder)
    diagnosis = diagnoser.diagnose("97.mat", sampling_rate=48000)

Names are imported when they are first used, so that ``import faultdiag`` is cheap.
"""

from importlib import import_module
from types import FunctionType
from typing import TYPE_CHECKING, Any

from faultdiag.errors import for_python

if TYPE_CHECKING:
    from faultdiag import attention, models
    from faultdiag.api.adapt import adapt
    from faultdiag.api.recordings import predict, read_recording
    from faultdiag.api.train import evaluate, train
    from faultdiag.config.schema import Config
    from faultdiag.errors import FaultdiagError
    from faultdiag.evidence.inspection import inspect_file as inspect
    from faultdiag.prediction.diagnoser import Diagnoser, load
    from faultdiag.prediction.events import Diagnosis
    from faultdiag.signal.recording import Recording
    from faultdiag.simulation.folder import simulate_folder as simulate
    from faultdiag.training.session import Run

# Also in pyproject.toml; looking it up among the installed packages takes a tenth of a second.
__version__ = "0.1.0"

__all__ = [
    "Config",
    "Diagnoser",
    "Diagnosis",
    "FaultdiagError",
    "Recording",
    "Run",
    "__version__",
    "adapt",
    "attention",
    "evaluate",
    "inspect",
    "load",
    "models",
    "predict",
    "read_recording",
    "simulate",
    "train",
]

# Where each name is defined: module, and the name there.
_SOURCES = {
    "Config": "faultdiag.config.schema:Config",
    "Diagnoser": "faultdiag.prediction.diagnoser:Diagnoser",
    "Diagnosis": "faultdiag.prediction.events:Diagnosis",
    "FaultdiagError": "faultdiag.errors:FaultdiagError",
    "Recording": "faultdiag.signal.recording:Recording",
    "Run": "faultdiag.training.session:Run",
    "adapt": "faultdiag.api.adapt:adapt",
    "evaluate": "faultdiag.api.train:evaluate",
    "inspect": "faultdiag.evidence.inspection:inspect_file",
    "load": "faultdiag.prediction.diagnoser:load",
    "predict": "faultdiag.api.recordings:predict",
    "read_recording": "faultdiag.api.recordings:read_recording",
    "simulate": "faultdiag.simulation.folder:simulate_folder",
    "train": "faultdiag.api.train:train",
}


def __getattr__(name: str) -> Any:
    if name in {"attention", "models"}:
        return import_module(f"faultdiag.{name}")
    if name not in _SOURCES:
        raise AttributeError(f"module 'faultdiag' has no attribute '{name}'")
    module, _, attribute = _SOURCES[name].partition(":")
    value = getattr(import_module(module), attribute)
    if isinstance(value, FunctionType):
        value = for_python(value)
        # Another process finds it by these when it is passed there.
        value.__module__, value.__qualname__ = __name__, name
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
