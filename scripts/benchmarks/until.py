"""How long training takes to reach an accuracy; needs nothing but Python."""

import json
import time
from collections.abc import Callable

MOST_EPOCHS = 30


def until(level: float, train: Callable[[], object], accuracy: Callable[[], float]) -> None:
    """Train until the validation accuracy reaches a level; print epochs and seconds as JSON.

    Parameters
    ----------
    level
        Share of the validation windows that must be right.
    train
        Train one epoch.
    accuracy
        Return the validation accuracy. Its time counts, too.
    """
    began = time.perf_counter()
    for epoch in range(1, MOST_EPOCHS + 1):
        train()
        if accuracy() >= level:
            print(json.dumps({"epochs": epoch, "fit": time.perf_counter() - began}), flush=True)
            return
    raise SystemExit(f"below {level:.0%} after {MOST_EPOCHS} epochs")
