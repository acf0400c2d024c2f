"""Trainings in processes of their own, quick to start, to be killed or weighed."""

import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from faultdiag.api.train import train
from faultdiag.config.schema import Config
from faultdiag.training import loop, session

# Children are copies of one server that has imported torch already.
_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__])


def start(work: Callable[..., Any], *arguments: Any) -> BaseProcess:
    """Start a function of this module in a child."""
    child = _CONTEXT.Process(target=work, args=arguments)
    child.start()
    return child


def train_saving_often(config: Config, folder: Path) -> None:
    """Train as `faultdiag train --resume` does, with many checkpoints within an epoch."""
    session.SAVE_EVERY = 0.03
    train(config, run=folder, device="cpu", resume=True, pictures=False)


def train_three_steps(config: Config, folder: Path) -> None:
    """Train with epochs of three steps; everything else is done for all windows."""
    loop.batch_sizes = lambda count, size: [min(count, size)] * 3  # type: ignore[assignment]
    train(config, run=folder, device="cpu", pictures=False)


def peak_anonymous(child: BaseProcess) -> float:
    """Wait for a child and give the largest anonymous memory it had, in MiB."""
    status, peak = Path(f"/proc/{child.pid}/status"), 0.0
    while child.is_alive():
        peak = max(peak, _anonymous(status))
        time.sleep(0.002)
    assert child.exitcode == 0
    return peak


def _anonymous(status: Path) -> float:
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return 0.0  # it has just ended
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon")), 0.0)
