"""One cell: trained in a folder that is thrown away, its figures kept."""

import contextlib
import hashlib
import io
import shutil
import time
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import TYPE_CHECKING, Self

from faultdiag.config.schema import Config
from faultdiag.documents import Document, Json
from faultdiag.errors import FaultdiagError
from faultdiag.protocol.plan import kind_and_snr, level_key
from faultdiag.protocol.results import Row
from faultdiag.system.crashes import is_memory_error

if TYPE_CHECKING:
    from faultdiag.training.session import Run

# What is kept of each part, and of each level of noise.
_SCORES = ("accuracy", "macro_f1", "recording_accuracy", "windows", "recordings")
_WHEN = ("before", "after")
# What is kept of a transfer that needs no label.
_UNLABELLED = (
    *(f"{name}_{when}" for name in ("agreement", "confusion", "information") for when in _WHEN),
    *("refused", "warning"),
)
EVENTS = "tensorboard"
"""The folder in that of a protocol with the TensorBoard events of its cells."""
SOURCES = "sources"
"""The folder beside the runs of cells with the networks that transfer methods adapt."""
# The accuracy on the scaled noise without the signal.
_ALONE = "noise_only_accuracy"
_RECORDING = {"within_recording", "random_windows", "legacy_wdcnn"}
LESS_MEMORY = (
    "use fewer --jobs, a smaller train.batch_size, a shorter window.length or fewer recordings"
)


class Failure(contextlib.AbstractContextManager["Failure"]):
    """Keep what goes wrong inside as text, so that one cell is not the end of all.

    Interrupts pass. ``reason`` is None where nothing went wrong; ``memory`` says that there was
    too little of it.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self.memory = False

    def __enter__(self) -> Self:
        """Return itself; afterwards it has the reason."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Keep an error; any but an interrupt goes no further."""
        if not isinstance(error, Exception):
            return False
        self.memory = is_memory_error(error)
        self.reason = _reason(error, trace, memory=self.memory)
        return True


def _reason(error: Exception, trace: TracebackType | None, *, memory: bool) -> str:
    if isinstance(error, FaultdiagError):
        return str(error)
    text = f"{type(error).__name__}: {error}".strip().splitlines()[0].removesuffix(":")
    if memory:
        return f"{text}; {LESS_MEMORY}"
    place = traceback.extract_tb(trace)[-1]
    where = f"{Path(place.filename).name}, line {place.lineno}"
    return f"{text} ({where}); that is a bug: please report it with this config"


def run_cell(config: Config, levels: tuple[str, ...], *, device: str, folder: Path) -> Row:
    """Train one cell and return its figures, or under ``reason`` why there are none.

    Parameters
    ----------
    config
        Of one fold and seed; what it asks for has been prepared.
    levels
        Levels of noise at which the test part is evaluated too, as `level_key` names them.
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    folder
        Where there is room for the run while it lasts.
    """
    with Failure() as failure, warnings.catch_warnings(record=True) as caught, _quiet():
        row = _figures(config, levels, device, folder)
        return {**row, "warnings": sorted({str(warning.message) for warning in caught})}
    return {"reason": failure.reason, "memory": failure.memory}


def _figures(config: Config, levels: tuple[str, ...], device: str, folder: Path) -> Row:
    from faultdiag.checkpoint import package_versions
    from faultdiag.inference import select_device

    began = time.perf_counter()
    run, noise = _trained(config, levels, device, folder)
    test, split = run.metrics["test"], run.metrics["split"]
    return {
        **{key: test[key] for key in _SCORES},
        "classes": sum(1 for scores in test["per_class"].values() if scores["windows"]),
        "valid_accuracy": run.metrics["valid"]["accuracy"],
        "best_epoch": run.best_epoch,
        "epochs": run.epochs,
        "window_seconds": config.window.length / config.data.sampling_rate,
        "leak": leak_of(split),
        "shared_samples": split["shared_samples"],
        "test_to_train": split["disjoint_windows"]["test"] / split["disjoint_windows"]["train"],
        "false_alarm_rate": test["false_alarm_rate"],
        "healthy_windows": test["healthy_windows"],
        "leaking_test_windows": split["leaking_test_windows"],
        "notes": split["notes"],
        "noise": {
            level_key(level["kind"], level["snr"]): {key: level[key] for key in (*_SCORES, _ALONE)}
            for level in noise
        },
        "transfer": _transferred(run.metrics),
        "seconds": time.perf_counter() - began,
        "device": str(select_device(device)),
        "versions": package_versions(),
        "config": config.model_dump(mode="json"),
    }


def _trained(
    config: Config, levels: tuple[str, ...], device: str, folder: Path
) -> tuple["Run", Sequence[Document]]:
    """Train a cell and evaluate it in noise; of its run folder only the events stay."""
    from faultdiag.training.session import train_run

    with TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as temporary:
        # Cells that differ in their transfer method alone adapt the same trained network.
        sources = None if config.transfer is None else folder / SOURCES
        run = train_run(config, run=Path(temporary) / "run", device=device, sources=sources)
        noise = _in_noise(run.folder, levels, device)
        if config.train.tensorboard:
            events = folder.parent / EVENTS / event_name(config)
            shutil.copytree(run.folder / EVENTS, events, dirs_exist_ok=True)
    return run, noise


def _transferred(metrics: Document) -> Row | None:
    """Return the stored figures of a transfer; None if the config has none.

    ``before`` and ``adapted`` are the accuracies on the target's test part of the model from before
    and of the adapted one, whichever of them the guard kept; ``transductive`` is that of the kept
    one on what was adapted to, ``source`` on the source's own test part.
    """
    transfer = metrics.get("transfer")
    if transfer is None:
        return None
    before, adapted = (transfer.get(name) or metrics["test"] for name in ("source_only", "adapted"))
    return {
        "method": transfer["method"],
        "before": before["accuracy"],
        "adapted": adapted["accuracy"],
        "transductive": metrics["target_adapt"]["accuracy"],
        "source": metrics["source_test"]["accuracy"],
        **{key: transfer[key] for key in _UNLABELLED},
    }


def event_name(config: Config) -> str:
    """Return the folder of a cell's TensorBoard events: what it is, and a digest of all settings.

    Examples
    --------
    >>> from faultdiag.config.schema import parse_config
    >>> event_name(parse_config({"window": {"length": 256, "stride": 128}})).rpartition("-")[0]
    'wdcnn-within_recording-seed0'
    """
    method = [] if config.transfer is None else [config.transfer.method]
    digest = hashlib.sha256(config.to_yaml().encode()).hexdigest()[:8]
    words = [config.model.name, *method, config.split.strategy, f"seed{config.seed}", digest]
    return "-".join(words)


def _in_noise(run: Path, levels: tuple[str, ...], device: str) -> list[Json]:
    """Evaluate the test part of a run at levels of noise, each kind at each ratio."""
    from faultdiag.evaluation import evaluate_run

    if not levels:
        return []
    pairs = [kind_and_snr(level) for level in levels]
    kinds, ratios = (list(dict.fromkeys(values)) for values in zip(*pairs, strict=True))
    scored = evaluate_run(run, "test", snr=ratios, noise=kinds, device=device)
    in_noise: list[Json] = scored["noise"]
    return in_noise


def leak_of(split: Document) -> str:
    """Return the leak level: ``samples``, ``recording``, ``bearing``, ``none`` or ``-``.

    It is what the audit says, or where that says nothing, what the strategy can't avoid.

    Examples
    --------
    >>> leak_of({"strategy": "within_recording", "shared_samples": 0, "leaking_test_windows": 0})
    'recording'
    """
    if "leak" in split:
        return str(split["leak"])
    if split["shared_samples"] or split["leaking_test_windows"]:
        return "samples"
    return "recording" if split["strategy"] in _RECORDING else "-"


def _quiet() -> contextlib.AbstractContextManager[object]:
    """Keep bars and lines of one training from among those of the comparison."""
    return contextlib.redirect_stderr(io.StringIO())
