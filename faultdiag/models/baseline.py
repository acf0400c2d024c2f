"""A baseline in the place of a network."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor, nn

from faultdiag.arrays import Floats
from faultdiag.baselines import BASELINES
from faultdiag.baselines.baseline import Baseline
from faultdiag.documents import Document, Json
from faultdiag.errors import FaultdiagError, did_you_mean
from faultdiag.features import extract
from faultdiag.features.extract import EACH
from faultdiag.models.spec import BaselineNames, ModelSpec
from faultdiag.signal.bearings import KnownBearing, get_bearing

# Name of what a baseline has learnt, in the state dict: the bytes that skops stored.
LEARNT = "skops"

# Probabilities below this are taken for it, so that every logit is finite.
LEAST = 1e-12


class BaselineModel(nn.Module):
    """A baseline that is called like a network: ``(B, C, L) -> (B, classes)``.

    Features are computed by numpy on the CPU, wherever the windows are. It has no parameters;
    what the baseline has learnt is in the state dict, as one tensor of bytes.

    Parameters
    ----------
    baseline
        Fitted, or to be fitted on what `features` gives.
    sampling_rate
        Hz.
    bearing
        The bearing whose fault orders it uses, or None.
    each
        Whether it uses the fault orders of each recording's own bearing.
    """

    in_double = True

    def __init__(
        self,
        baseline: Baseline,
        sampling_rate: float,
        bearing: KnownBearing | None = None,
        *,
        each: bool = False,
    ) -> None:
        super().__init__()
        self.baseline = baseline
        self.sampling_rate = sampling_rate
        self.bearing = bearing
        self.needs_bearing = each

    @property
    def not_exported(self) -> str | None:
        """Why it can't be a graph; None if it can, from its features on."""
        return self.baseline.not_exported

    @property
    def needs_speed(self) -> bool:
        """Whether it must be given the shaft rate of each window."""
        return self.needs_bearing or self.bearing is not None

    def features(self, windows: Tensor, known: Tensor | None = None) -> Floats:
        """Return the features of windows, ``(B, features)``.

        Parameters
        ----------
        windows
            Normalised, ``(B, C, L)``.
        known
            Where it looks at fault orders: shaft rates ``(B,)`` in Hz. Where it looks at those of
            each recording's bearing: `faultdiag.signal.bearings.CONDITIONS`, ``(B, 5)``.

        Raises
        ------
        FaultdiagError
            If it needs the shaft rate and there is none.
        """
        if not self.baseline.sees_features:
            return np.zeros((len(windows), 0))
        if self.needs_speed and known is None:
            raise FaultdiagError(
                f"baseline '{self.baseline.name}' looks at shaft orders and was given no shaft rate"
            )
        x = windows.detach().cpu().numpy()
        values = None if known is None else known.cpu().double().numpy()
        if self.needs_bearing and values is not None:
            return extract.compute_for_each(x, self.sampling_rate, values)
        return extract.compute(x, self.sampling_rate, shaft_rates=values, bearing=self.bearing)

    def forward(self, windows: Tensor, known: Tensor | None = None) -> Tensor:
        """Return the logarithms of the probabilities of windows, in float64."""
        probabilities = self.baseline.probabilities(self.features(windows, known))
        return torch.from_numpy(np.log(np.maximum(probabilities, LEAST))).to(windows.device)

    def _save_to_state_dict(
        self,
        destination: dict[str, Tensor],
        prefix: str,
        keep_vars: bool,
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        content = np.frombuffer(self.baseline.content, dtype=np.uint8)
        destination[prefix + LEARNT] = torch.from_numpy(content.copy())

    def _load_from_state_dict(
        self, state_dict: Mapping[str, object], prefix: str, *_: object, **__: object
    ) -> None:
        content = state_dict.get(prefix + LEARNT)
        if content is None:
            raise FaultdiagError(
                f"baseline '{self.baseline.name}' was stored by an earlier version of faultdiag, "
                "and this one does not read it; train again"
            )
        if not isinstance(content, Tensor) or content.dtype != torch.uint8 or content.ndim != 1:
            raise FaultdiagError(
                f"the stored baseline '{self.baseline.name}' is damaged: its {LEARNT} are no "
                "bytes; take another copy, or train again"
            )
        self.baseline.restore(content.cpu().numpy().tobytes())


def build_baseline(
    name: str,
    channels: Sequence[str],
    classes: Sequence[str],
    /,
    *,
    sampling_rate: float,
    bearing: str | int | None = None,
    **options: object,
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
        As `faultdiag.signal.bearings.get_bearing` takes it, or `EACH`; without it there are no
        fault orders.
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
    each = bearing == EACH
    known = None if bearing is None or each else get_bearing(str(bearing))
    if not sees_features(name):
        return BaselineModel(BASELINES.build(name, [], classes, **options), sampling_rate)
    baseline = BASELINES.build(
        name, extract.names(channels, orders=bearing is not None), classes, **options
    )
    if bearing is not None and not {*baseline.groups} & {*extract.ORDER_GROUPS}:
        # It uses none of the orders, so it must not ask for a speed either.
        without = extract.names(channels, orders=False)
        return BaselineModel(BASELINES.build(name, without, classes, **options), sampling_rate)
    return BaselineModel(baseline, sampling_rate, known, each=each)


def sees_features(name: str) -> bool:
    """Return whether a baseline uses the windows at all.

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


class _BaselineFields(BaseModel):
    """The part of a checkpoint's ``model_spec`` that a baseline needs."""

    model_config = ConfigDict(strict=True)

    name: str
    names: _Names
    sampling_rate: float = Field(gt=0, allow_inf_nan=False)
    options: Json


def baseline_spec_of(document: Document) -> ModelSpec:
    """Parse the ``model_spec`` of a baseline's checkpoint.

    Raises
    ------
    FaultdiagError
        If it is damaged or contradicts itself.
    """
    try:
        stored = _BaselineFields.model_validate(dict(document))
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, ("model_spec", *problem["loc"])))
        raise FaultdiagError(
            f"the description of the baseline is damaged: {place}: {problem['msg']}; take another "
            "copy, or train again"
        ) from error
    names = BaselineNames(tuple(stored.names.channels), tuple(stored.names.classes))
    if (len(names.channels), len(names.classes)) != (document["channels"], document["classes"]):
        raise FaultdiagError(
            f"the baseline is said to have {document['channels']} channels and "
            f"{document['classes']} classes, but {len(names.channels)} and {len(names.classes)} "
            "are named; take another copy, or train again"
        )
    return ModelSpec(
        stored.name,
        len(names.channels),
        len(names.classes),
        document["length"],
        stored.sampling_rate,
        options=stored.options,
        names=names,
    )


def baseline_of(spec: ModelSpec) -> BaselineModel:
    """Build the baseline of a spec.

    Raises
    ------
    FaultdiagError
        If it cannot be built.
    """
    if spec.names is None or spec.sampling_rate is None:
        raise ValueError(f"the spec of baseline '{spec.name}' lacks its names or sampling rate")
    names = spec.names
    options = {**spec.options, "sampling_rate": spec.sampling_rate}
    return build_baseline(spec.name, names.channels, names.classes, **options)


# Any will do to find out which columns there are when the bearing is known.
SOME_BEARING = "6205"


def known_options(name: str) -> Json:
    """Return every option of a baseline in a config, with its default."""
    defaults = {option.name: option.default for option in BASELINES.options(name).values()}
    return defaults | ({"bearing": None} if sees_features(name) else {})


def minimum_length(name: str) -> int:
    """Return the shortest window in samples."""
    return extract.SHORTEST if sees_features(name) else 1


def problems_of(
    name: str,
    channels: Sequence[str],
    length: int,
    *,
    attention: object,
    representation: object,
    options: Document,
) -> list[str]:
    """Return every problem of a baseline in a config that shows before data is loaded.

    Each begins with its place in the config. Which classes there are is not known yet.
    """
    problems = _option_problems(name, channels, options)
    if attention is not None:
        problems.append(
            f"model.attention is given, but '{name}' is a baseline and has no place for it; leave "
            "it out (--set model.attention=null)"
        )
    if representation not in (None, "raw", {"name": "raw"}):
        problems.append(
            f"model.representation is given, but '{name}' is a baseline and looks at features of "
            "the raw windows; leave it out (--set model.representation=raw)"
        )
    shortest = minimum_length(name)
    if length < shortest:
        problems.append(
            f"window.length is {length} samples; baseline '{name}' needs {shortest} or more"
        )
    return problems


def _option_problems(name: str, channels: Sequence[str], options: Document) -> list[str]:
    problems = []
    known = known_options(name)
    for key, value in options.items():
        try:
            if key not in known:
                raise FaultdiagError(
                    f"baseline '{name}' has no option '{key}'{did_you_mean(key, known)}; it has: "
                    f"{', '.join(sorted(known)) or 'none'}"
                )
            _try_option(name, channels, key, value)
        except FaultdiagError as error:
            problems.append(f"model.{key}: {error}")
    return problems


def _try_option(name: str, channels: Sequence[str], key: str, value: str | int | None) -> None:
    if key == "bearing":
        _require_bearing(value)
        return
    some = {"bearing": SOME_BEARING} if sees_features(name) else {}
    # Which classes there are only matters to `physics`, and these are some of its own.
    build_baseline(name, channels, ["N", "IR"], sampling_rate=1.0, **{**some, key: value})


def _require_bearing(value: object) -> None:
    if value is None or value == EACH:
        return
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise FaultdiagError(
            f'bearing is {value!r}; write its name, such as "6205", or its geometry, such as '
            f'"9,0.3126,1.537", or {EACH} for the one that each recording names'
        )
    get_bearing(str(value))
