"""Train a config and evaluate a run: its pictures, the runs of its folds, accuracy over noise."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from faultdiag.checkpoint import load
from faultdiag.config.schema import Config, load_config, parse_config
from faultdiag.documents import Document, Json
from faultdiag.errors import FaultdiagError
from faultdiag.evaluation import evaluate_run
from faultdiag.export.metadata import read_record
from faultdiag.preparing.folder import Prepared
from faultdiag.preparing.folds import expand, has_folds, prepare_folds
from faultdiag.report.card import CARD, write_card
from faultdiag.report.data import describe_prepared
from faultdiag.report.drawing import require_png
from faultdiag.report.figures import (
    confusion_figure,
    curves_figure,
    noise_figure,
    reliability_figure,
)
from faultdiag.system.crashes import memory_errors
from faultdiag.system.locks import own_folder
from faultdiag.system.terminal import note
from faultdiag.training.folds import FoldRuns, clear, folder_names, require_free, write_results
from faultdiag.training.run_folder import OTHER, warn_unfinished
from faultdiag.training.session import Run, train_run
from faultdiag.training.specs import less_memory, resolve_spec

ConfigLike = Config | Document | Path | str


def train(
    config: ConfigLike,
    *,
    run: Path | str | None = None,
    device: str = "auto",
    overwrite: bool = False,
    resume: bool = False,
    on_prepared: Callable[[Prepared], None] | None = None,
    on_begun: Callable[[], None] | None = None,
    pictures: bool = True,
    **settings: Any,
) -> Run | FoldRuns:
    """Train the network or baseline of a config and write its run folder.

    Parameters
    ----------
    config
        A `Config`, plain data, or the path of a YAML file.
    run
        The run folder; by default ``runs/<name of the file>``, or ``runs/<dataset>-<network>``
        for a config that is not from a file.
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    overwrite
        Replace the run that is there; files that do not belong to a run stay.
    resume
        Continue an interrupted run, or a finished one for more epochs; starts fresh where there
        is none.
    on_prepared
        Called once the data is prepared, before training.
    on_begun
        Called once the run folder belongs to this run: at once, or, where it replaces a finished
        run, when there is a first checkpoint to replace it with.
    pictures
        Draw the PNGs of the run folder, and write its model card, too.
    settings
        Settings of the config to change, with two underscores for each dot:
        ``train__epochs=5``.

    Returns
    -------
    Run | FoldRuns
        The run; of a config with folds, the runs of all of them, each in a folder below `run`.

    Raises
    ------
    FaultdiagError
        For anything that the user can solve: config, recordings, device, folder, disk.
    """
    parsed = as_config(config, settings)
    folder = Path(run or f"runs/{_name(config, parsed)}")
    flags: Json = {"device": device, "overwrite": overwrite, "resume": resume}
    if has_folds(parsed):
        return train_all(parsed, run=folder, on_begun=on_begun, pictures=pictures, **flags)
    callbacks: Json = {"on_prepared": on_prepared, "on_begun": on_begun}
    return _train_and_draw(parsed, run=folder, pictures=pictures, **callbacks, **flags)


def as_config(config: ConfigLike, settings: Document | None = None) -> Config:
    """Return a config as its typed form, with some settings changed.

    Parameters
    ----------
    settings
        Values by dotted name, with ``__`` or ``.`` between the parts.

    Raises
    ------
    FaultdiagError
        If the config is invalid; all problems are named at once.
    """
    if isinstance(config, Config):
        parsed = config
    elif isinstance(config, Mapping):
        parsed = parse_config(config)
    else:
        parsed = load_config(Path(config))
    if not settings:
        return parsed
    document = parsed.model_dump(mode="json")
    for name, value in settings.items():
        *sections, key = name.replace("__", ".").split(".")
        place = document
        for section in sections:
            place = place.setdefault(section, {})
        place[key] = value
    return parse_config(document)


def _name(given: ConfigLike, config: Config) -> str:
    if isinstance(given, Path | str):
        return Path(given).stem
    return f"{config.data.dataset}-{config.model.name}"


def train_all(
    config: Config,
    *,
    run: Path,
    device: str = "auto",
    overwrite: bool = False,
    resume: bool = False,
    tell: Callable[[str], None] = lambda _: None,
    on_begun: Callable[[], None] | None = None,
    pictures: bool = True,
) -> Run | FoldRuns:
    """Train a config, or each of its folds in a folder below `run`.

    Parameters
    ----------
    run, device, overwrite, resume, on_begun, pictures
        As for `train`.
    tell
        Called with the text about the data before each training.

    Raises
    ------
    FaultdiagError
        As `train`.
    """
    flags: Json = {"device": device, "overwrite": overwrite, "resume": resume}
    flags["pictures"] = pictures
    if not has_folds(config):
        return _train_one(config, run, tell, on_begun=on_begun, **flags)
    if run.exists() and not run.is_dir():
        require_free(run, [], overwrite=overwrite, resume=resume)
    with own_folder(run, OTHER):
        return _train_folds(config, run, tell, on_begun, **flags)


def _train_folds(
    config: Config,
    run: Path,
    tell: Callable[[str], None],
    on_begun: Callable[[], None] | None,
    **flags: Any,
) -> FoldRuns:
    overwrite = flags["overwrite"]
    folds = expand(config)
    names = folder_names(fold.name for fold in folds)
    earlier = require_free(run, names, overwrite=overwrite, resume=flags["resume"])
    resolve_spec(config)
    # An error in the last fold shows before hours of training, not after.
    prepare_folds(folds)
    runs: list[Run] = []

    def begun() -> None:
        # From here on all folds are this training's, so that the ones to come can be resumed.
        if overwrite and not runs:
            clear(run, [name for name in earlier if name != names[0]], names)
        if on_begun:
            on_begun()

    for name, fold in zip(names, folds, strict=True):
        tell(f"training {len(runs) + 1} of {len(folds)}: {fold.title}")
        runs.append(_train_one(fold.config, run / name, tell, on_begun=begun, **flags))
        write_results(run, names, folds, runs)
    return FoldRuns(run, tuple(folds), tuple(runs))


def _train_one(config: Config, run: Path, tell: Callable[[str], None], **flags: Any) -> Run:
    def on_prepared(prepared: Prepared) -> None:
        tell(describe_prepared(prepared, config.data.healthy))
        if flags["resume"] and not (run / "last.pt").exists():
            tell(f"nothing to resume in {run}: starting fresh")

    return _train_and_draw(config, run=run, on_prepared=on_prepared, **flags)


def _train_and_draw(config: Config, *, run: Path, pictures: bool, **options: Any) -> Run:
    on_finished = draw_and_describe if pictures else None
    with memory_errors("train", less_memory(config)):
        return train_run(config, run=run, on_finished=on_finished, **options)


def draw_and_describe(run: Run) -> None:
    """Draw the pictures of a run and write its model card."""
    draw_run(run)
    describe_run(run.folder)


def draw_run(run: Run) -> None:
    """Draw ``confusion.png``, ``calibration.png`` and, after epochs, ``curves.png``."""
    test, split = run.metrics["test"], run.metrics["split"]
    if test is not None:  # an unlabelled target has no confusion
        confusion_figure(
            test["confusion"]["labels"],
            test["confusion"]["matrix"],
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


def describe_run(folder: Path) -> None:
    """Write ``MODEL_CARD.md``."""
    write_card(folder / CARD, read_record(folder, load(folder)))


def evaluate(
    run: Path | str,
    part: str = "test",
    *,
    config: ConfigLike | None = None,
    split: Path | None = None,
    snr: Sequence[float] = (),
    noise: Sequence[str] = ("white",),
    device: str = "auto",
    plot: Path | None = None,
) -> Json:
    """Evaluate a trained run on a part of its own split, or on the data of another config.

    Parameters
    ----------
    run
        Run folder or checkpoint.
    part
        ``train``, ``valid`` or ``test``.
    config
        Other data: a config, or the path of one.
    split
        Another run folder or ``split.json``, for another split of the run's own data.
    snr
        Signal-to-noise ratios in dB; each adds an entry per kind to ``noise``.
    noise
        Kinds of noise: white, pink, brown, blue, impulsive, hum.
    device
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    plot
        PNG file to draw the accuracy over the signal-to-noise ratios in.

    Returns
    -------
    Json
        As ``metrics.json``: the metrics of the part under its name, and ``split``.

    Raises
    ------
    FaultdiagError
        As `evaluate_run`, or if there is nothing to draw.
    """
    run = Path(run)
    _require_plot(plot, snr)
    warn_unfinished(run)
    other = None if config is None else as_config(config)
    options: Json = {"split": split, "snr": snr, "noise": noise, "device": device}
    with memory_errors("evaluate", "use --device cpu, or fewer recordings (data.select)"):
        result = evaluate_run(run, part, config=other, **options)
    if plot is not None:
        classes = len(result[part]["per_class"])
        clean = result[part]["accuracy"]
        # The picture has one line.
        rows = [row for row in result["noise"] if row["kind"] == noise[0]]
        noise_figure(rows, plot, clean=clean, classes=classes)
        note(f"drew {plot}")
    return result


def _require_plot(plot: Path | None, snr: Sequence[float]) -> None:
    if plot is None:
        return
    require_png(plot)
    if len(set(snr)) < 2:
        given = f"--snr is {snr[0]:g} alone" if snr else "no --snr was given"
        raise FaultdiagError(
            f"--plot draws accuracy over noise and {given}; give two or more: --snr -4 --snr 0"
        )
