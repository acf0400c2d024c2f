"""A training from config to run folder."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from faultdiag import inference
from faultdiag.config import Config, load_config, parse_config
from faultdiag.prepared import Prepared
from faultdiag.preparing import prepare
from faultdiag.training.folder import require_free
from faultdiag.training.graphs import require_graphs
from faultdiag.training.history import require_tensorboard
from faultdiag.training.session import Run, Session
from faultdiag.training.specs import check_model


def train_run(
    config: Config | Mapping[str, Any] | Path | str,
    *,
    run: Path | str | None = None,
    device: str = "auto",
    overwrite: bool = False,
    resume: bool = False,
    on_prepared: Callable[[Prepared], None] | None = None,
    on_begun: Callable[[], None] | None = None,
) -> Run:
    """Train the network or baseline of a config and write its run folder.

    Parameters
    ----------
    config
        A `Config`, plain data, or the path of a YAML file.
    run
        The run folder; unless given, ``runs/<name of the file>`` or, of no file,
        ``runs/<dataset>-<network>``.
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    overwrite
        Replace a run that is there; files that are not a run's stay.
    resume
        Go on with a run that was interrupted, or for more epochs; starts fresh where there is
        none.
    on_prepared
        Called once the data is prepared, before training.
    on_begun
        Called once the run folder is this run's: at once, or, where it replaces a finished
        run, when there is a first checkpoint to replace it with.

    Raises
    ------
    FaultdiagError
        For anything the user can mend: config, recordings, device, folder, disk.
    """
    parsed = _as_config(config)
    folder = Path(run or f"runs/{_name(config, parsed)}")
    require_free(folder, overwrite=overwrite, resume=resume)
    target = inference.select_device(device)
    check_model(parsed)
    require_graphs(parsed.train.graphs, target)
    if parsed.train.tensorboard:
        require_tensorboard()
    prepared = prepare(parsed)
    if on_prepared:
        on_prepared(prepared)
    session = Session(parsed, prepared, folder, target, on_begun)
    return session.run(overwrite=overwrite, resume=resume)


def _as_config(config: Config | Mapping[str, Any] | Path | str) -> Config:
    if isinstance(config, Config):
        return config
    if isinstance(config, Mapping):
        return parse_config(config)
    return load_config(Path(config))


def _name(given: Config | Mapping[str, Any] | Path | str, config: Config) -> str:
    if isinstance(given, Path | str):
        return Path(given).stem
    return f"{config.data.dataset}-{config.model.name}"
