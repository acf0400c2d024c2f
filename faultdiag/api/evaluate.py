"""Evaluate a run, and draw accuracy over noise."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from faultdiag.config.schema import Config
from faultdiag.errors import FaultdiagError
from faultdiag.evaluation.run import evaluate_run
from faultdiag.report.figures import noise_figure
from faultdiag.training.run_folder import warn_unfinished


def evaluate_and_draw(
    run: Path,
    part: str,
    *,
    config: Config | None = None,
    split: Path | None = None,
    snr: Sequence[float] = (),
    device: str = "auto",
    plot: Path | None = None,
) -> dict[str, Any]:
    """Evaluate a run as `faultdiag.evaluation.run.evaluate_run`, and draw accuracy over noise.

    Parameters
    ----------
    plot
        PNG file to draw the accuracy over the signal-to-noise ratios in.

    Raises
    ------
    FaultdiagError
        As `evaluate_run`, or if there is nothing to draw.
    """
    _require_plot(plot, snr)
    warn_unfinished(run)
    result = evaluate_run(run, part, config=config, split=split, snr=snr, device=device)
    if plot is not None:
        classes = len(result[part]["per_class"])
        clean = result[part]["accuracy"]
        noise_figure(result["noise"], plot, clean=clean, classes=classes)
        sys.stderr.write(f"drew {plot}\n")
    return result


def _require_plot(plot: Path | None, snr: Sequence[float]) -> None:
    if plot is None:
        return
    if plot.suffix.lower() != ".png":
        raise FaultdiagError(f"--plot is {plot}; a PNG is drawn, so give a name that ends in .png")
    if len(set(snr)) < 2:
        given = f"--snr is {snr[0]:g} alone" if snr else "no --snr was given"
        raise FaultdiagError(
            f"--plot draws accuracy over noise and {given}; give two or more: --snr -4 --snr 0"
        )
