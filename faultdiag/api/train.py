"""Train a config: the run and its pictures."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from faultdiag.config.schema import Config
from faultdiag.preparing.folder import Prepared
from faultdiag.report.figures import confusion_figure, curves_figure, reliability_figure
from faultdiag.training.session import Run, train_run


def train(
    config: Config | Mapping[str, Any] | Path | str,
    *,
    run: Path | str | None = None,
    device: str = "auto",
    overwrite: bool = False,
    resume: bool = False,
    on_prepared: Callable[[Prepared], None] | None = None,
    on_begun: Callable[[], None] | None = None,
    pictures: bool = True,
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
    pictures
        Draw the PNGs of the run folder too.

    Raises
    ------
    FaultdiagError
        For anything the user can mend: config, recordings, device, folder, disk.
    """
    finished = train_run(
        config,
        run=run,
        device=device,
        overwrite=overwrite,
        resume=resume,
        on_prepared=on_prepared,
        on_begun=on_begun,
    )
    if pictures:
        draw_run(finished)
    return finished


def draw_run(run: Run) -> None:
    """Draw ``confusion.png``, ``calibration.png`` and, after epochs, ``curves.png``."""
    test, split = run.metrics["test"], run.metrics["split"]
    confusion = test["confusion"]
    confusion_figure(
        confusion["labels"],
        confusion["matrix"],
        run.folder / "confusion.png",
        healthy=run.healthy,
        title=f"{run.folder.name}, test part, {split['strategy']}",
    )
    if (outcome := run.outcome) is not None:
        calibration = run.folder / "calibration.png"
        reliability_figure(outcome.reliability, calibration, temperature=outcome.temperature)
    if run.trained_in_epochs:
        curves_figure(
            run.history, run.folder / "curves.png", best_epoch=run.best_epoch, title=run.folder.name
        )
