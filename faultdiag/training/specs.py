"""From a config to what is trained: checked before data is loaded, and specified for it."""

from typing import Any

from faultdiag import models
from faultdiag.baselines import BASELINES
from faultdiag.config import Config
from faultdiag.errors import FaultdiagError
from faultdiag.prepared import Prepared
from faultdiag.training.baseline_spec import baseline_spec


def check_model(config: Config, classes: int = 2) -> None:
    """Refuse a network, attention slot or baseline that can't be, before any data is loaded.

    Raises
    ------
    FaultdiagError
        Naming every problem by its place in the config.
    """
    if config.model.name in BASELINES:
        _check_baseline(config)
        return
    models.check(
        config.model.name,
        len(config.data.channels),
        classes,
        length=config.window.length,
        attention=config.model.attention,
        representation=config.model.representation,
        sampling_rate=config.data.sampling_rate,
        options=config.model.options,
    )


def _check_baseline(config: Config) -> None:
    from faultdiag.models.baseline_checks import problems_of

    problems = problems_of(
        config.model.name,
        config.data.channels,
        config.window.length,
        attention=config.model.attention,
        representation=config.model.representation,
        options=config.model.options,
    )
    if problems:
        raise FaultdiagError("\n".join(problems))


def prepared_spec(config: Config, prepared: Prepared) -> tuple[dict[str, Any], list[str]]:
    """Give the specification of network or baseline for these data, and notes on it.

    Raises
    ------
    FaultdiagError
        If it is a baseline that these data lack something for.
    """
    if config.model.name in BASELINES:
        return baseline_spec(config.model.name, config.model.options, prepared)
    return model_spec(config, len(prepared.classes)), []


def model_spec(config: Config, classes: int) -> dict[str, Any]:
    """Give what a checkpoint needs to build a network again."""
    return {
        "name": config.model.name,
        "channels": len(config.data.channels),
        "classes": classes,
        "length": config.window.length,
        "attention": config.model.attention,
        "representation": config.model.representation,
        "sampling_rate": config.data.sampling_rate,
        "options": config.model.options,
    }
