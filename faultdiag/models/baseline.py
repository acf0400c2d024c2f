"""A baseline in the place of a network: windows in, logits out, arrays in the state dict."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor, nn

from faultdiag import features
from faultdiag.baselines import BASELINES, Baseline
from faultdiag.bearings import Bearing, get_bearing
from faultdiag.errors import FaultdiagError

# Probabilities below this are taken for it, so that every logit is finite.
LEAST = 1e-12

Floats = NDArray[np.float64]


class BaselineModel(nn.Module):
    """A baseline that is called like a network: ``(B, C, L) -> (B, classes)``.

    Features are computed by numpy on the CPU, wherever the windows are. It has no parameters;
    what the baseline has learnt is in the state dict, array by array.

    Parameters
    ----------
    baseline
        Fitted, or to be fitted on what `features` gives.
    sampling_rate
        Hz.
    bearing
        The one whose fault orders it looks at, or None if it looks at none.
    """

    def __init__(
        self, baseline: Baseline, sampling_rate: float, bearing: Bearing | None = None
    ) -> None:
        super().__init__()
        self.baseline = baseline
        self.sampling_rate = sampling_rate
        self.bearing = bearing

    @property
    def needs_speed(self) -> bool:
        """Whether it must be given the shaft rate of each window."""
        return self.bearing is not None

    def features(self, windows: Tensor, shaft_rate: Tensor | None = None) -> Floats:
        """Give the features of windows, ``(B, features)``.

        Parameters
        ----------
        windows
            Normalised, ``(B, C, L)``.
        shaft_rate
            ``(B,)`` in Hz; only where it looks at fault orders.

        Raises
        ------
        FaultdiagError
            If it needs the shaft rate and there is none.
        """
        if not self.baseline.sees_features:
            return np.zeros((len(windows), 0))
        if self.needs_speed and shaft_rate is None:
            raise FaultdiagError(
                f"baseline '{self.baseline.name}' looks at shaft orders and was given no shaft rate"
            )
        rates = None if shaft_rate is None else shaft_rate.cpu().double().numpy()
        return features.compute(
            windows.detach().cpu().float().numpy(),
            self.sampling_rate,
            shaft_rates=rates,
            bearing=self.bearing,
        )

    def forward(self, windows: Tensor, shaft_rate: Tensor | None = None) -> Tensor:
        """Give the logarithms of the probabilities of windows, in float64."""
        found = self.baseline.probabilities(self.features(windows, shaft_rate))
        return torch.from_numpy(np.log(np.maximum(found, LEAST))).to(windows.device)

    def _save_to_state_dict(
        self,
        destination: dict[str, Any],
        prefix: str,
        keep_vars: bool,
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        for name, array in self.baseline.arrays.items():
            destination[prefix + name] = torch.from_numpy(np.array(array, order="C"))

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], prefix: str, *_: Any, **__: Any
    ) -> None:
        arrays = {
            str(name).removeprefix(prefix): _array(name, value)
            for name, value in state_dict.items()
            if str(name).startswith(prefix)
        }
        if not arrays:
            raise FaultdiagError(
                f"baseline '{self.baseline.name}' was stored without anything that it has learnt; "
                "take another copy, or train again"
            )
        self.baseline.restore(arrays)


def _array(name: str, value: Any) -> NDArray[Any]:
    try:
        return np.array(value.detach().cpu().numpy())
    except (AttributeError, TypeError, RuntimeError) as error:
        found = value.dtype if isinstance(value, Tensor) else type(value).__name__
        raise FaultdiagError(
            f"the stored {name} is no plain array of numbers: it is {found}; take another copy, "
            "or train again"
        ) from error


def build_baseline(
    name: str,
    channels: Sequence[str],
    classes: Sequence[str],
    /,
    *,
    sampling_rate: float,
    bearing: str | int | None = None,
    **options: Any,
) -> BaselineModel:
    """Build a baseline that takes windows, to be fitted or restored.

    Parameters
    ----------
    name
        A name of `faultdiag.baselines.BASELINES`.
    channels, classes
        Their names.
    sampling_rate
        Hz.
    bearing
        As `faultdiag.bearings.get_bearing` takes it; without it there are no fault orders.
    options
        The baseline's own; ``BASELINES.options(name)`` lists them.

    Raises
    ------
    FaultdiagError
        For a name or option that does not exist or does not work.

    Examples
    --------
    >>> model = build_baseline("logistic", ["DE"], ["N", "IR"], sampling_rate=12e3, bearing="6205")
    >>> len(model.baseline.columns), model.needs_speed
    (39, True)
    """
    known = None if bearing is None else get_bearing(str(bearing))
    if not sees_features(name):
        return BaselineModel(BASELINES.build(name, [], classes, **options), sampling_rate)
    baseline = BASELINES.build(
        name, features.names(channels, orders=known is not None), classes, **options
    )
    if known is not None and not {*baseline.groups} & {*features.ORDER_GROUPS}:
        # It uses none of the orders, so it must not ask for a speed either.
        without = features.names(channels, orders=False)
        baseline, known = BASELINES.build(name, without, classes, **options), None
    return BaselineModel(baseline, sampling_rate, known)


def sees_features(name: str) -> bool:
    """Say whether a baseline looks at the windows at all.

    Raises
    ------
    FaultdiagError
        If no baseline has this name.
    """
    entry: Any = BASELINES.get(name)
    return bool(entry.sees_features)


class _Names(BaseModel):
    model_config = ConfigDict(strict=True)

    channels: list[str]
    classes: list[str]


class _Specification(BaseModel):
    """What stands in ``model_spec`` of a checkpoint, as far as a baseline needs it."""

    model_config = ConfigDict(strict=True)

    name: str
    names: _Names
    sampling_rate: float = Field(gt=0, allow_inf_nan=False)
    options: dict[str, Any]


def from_specification(spec: Mapping[str, Any]) -> BaselineModel:
    """Build the baseline that the ``model_spec`` of a checkpoint describes.

    Raises
    ------
    FaultdiagError
        If it can't be built.
    """
    try:
        sound = _Specification.model_validate(dict(spec))
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, ("model_spec", *problem["loc"])))
        raise FaultdiagError(
            f"the description of the baseline is damaged: {place}: {problem['msg']}; take another "
            "copy, or train again"
        ) from error
    names = sound.names
    if (len(names.channels), len(names.classes)) != (spec["channels"], spec["classes"]):
        raise FaultdiagError(
            f"the baseline is said to have {spec['channels']} channels and {spec['classes']} "
            f"classes, but {len(names.channels)} and {len(names.classes)} are named; take another "
            "copy, or train again"
        )
    return build_baseline(
        sound.name,
        names.channels,
        names.classes,
        **{**sound.options, "sampling_rate": sound.sampling_rate},
    )
