"""Evaluate a run, and draw accuracy over noise."""

from collections.abc import Sequence
from pathlib import Path

from faultdiag.api.train import ConfigLike, as_config
from faultdiag.documents import Json
from faultdiag.errors import FaultdiagError
from faultdiag.evaluation import evaluate_run
from faultdiag.report.drawing import require_png
from faultdiag.report.figures import noise_figure
from faultdiag.system.crashes import memory_errors
from faultdiag.system.terminal import note
from faultdiag.training.run_folder import warn_unfinished


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
