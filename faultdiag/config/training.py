"""The section ``train`` of a config: how a network is trained."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from faultdiag.config.sections import Section
from faultdiag.errors import FaultdiagError
from faultdiag.schedules import SCHEDULES, Schedule


def _range(ends: tuple[float, ...]) -> tuple[float, ...]:
    if len(ends) != 2 or ends[0] > ends[1]:
        raise ValueError(f"found {list(ends)}; write two numbers, the smaller first")
    return ends


def _gains(ends: tuple[float, ...]) -> tuple[float, ...]:
    if min(ends) <= 0:
        raise ValueError(f"found {list(ends)}; a gain is above 0")
    return ends


def _decibels(ends: tuple[float, ...]) -> tuple[float, ...]:
    if max(map(abs, ends)) > 100:
        raise ValueError(f"found {list(ends)}; write ratios from -100 to 100 dB")
    return ends


def _named(value: Any) -> Any:
    if not isinstance(value, (str, Mapping)):
        raise ValueError(f"found {value!r}; write a name, or {{name: cosine, final: 0.01}}")
    return value


Range = Annotated[tuple[float, ...], Field(strict=False), AfterValidator(_range)]
Gains = Annotated[Range, AfterValidator(_gains)]
Decibels = Annotated[Range, AfterValidator(_decibels)]


class AugmentConfig(Section):
    """What is done to training windows at random; see `faultdiag.training.augment`."""

    shift: int = Field(default=0, ge=0)
    speed: float = Field(default=0.0, ge=0, le=0.5)
    snr: Decibels | None = None
    gain: Gains | None = None
    sign: bool = False
    mask: float = Field(default=0.0, ge=0, lt=1)


class TrainConfig(Section):
    """How the network is trained."""

    epochs: int = Field(default=20, ge=1)
    batch_size: int = Field(default=128, ge=1)
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = Field(default=1e-3, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    l2: float = Field(default=1e-4, ge=0)
    schedule: Annotated[Any, AfterValidator(_named)] = "constant"
    warmup_epochs: float = Field(default=0.0, ge=0)
    early_stopping: int | None = Field(default=None, ge=1)
    clip_gradient: float | None = Field(default=None, gt=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    balance: Literal["none", "weights", "sampling"] = "none"
    augment: AugmentConfig = Field(default_factory=AugmentConfig)
    precision: Literal["float32", "tf32", "bfloat16"] = "float32"
    deterministic: bool = False
    graphs: Literal["auto", "on", "off"] = "auto"
    threads: int | None = Field(default=None, ge=1)
    tensorboard: bool = False


def schedule_of(value: str | Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Give name and options of a schedule as a config writes it: a name, or name and options."""
    if isinstance(value, str):
        return value, {}
    options = dict(value)
    return str(options.pop("name", "")), options


def build_schedule(value: str | Mapping[str, Any]) -> Schedule:
    """Build the schedule that a config names.

    Raises
    ------
    FaultdiagError
        If there is no such schedule, or its options are not as they should be.
    """
    name, options = schedule_of(value)
    return SCHEDULES.build(name, **options)


def schedule_problems(train: Any) -> list[str]:
    """Check what no type of pydantic describes: the schedule's name and options."""
    section = train if isinstance(train, Mapping) else {}
    return [*_warm_up_problems(section), *_named_problems(section.get("schedule"))]


def _warm_up_problems(train: Mapping[str, Any]) -> list[str]:
    fields = TrainConfig.model_fields
    warm_up, epochs = (train.get(k, fields[k].default) for k in ("warmup_epochs", "epochs"))
    if not all(isinstance(n, (int, float)) for n in (warm_up, epochs)) or warm_up <= epochs:
        return []
    return [
        f"train.warmup_epochs is {warm_up:g}, above train.epochs, which is {epochs:g}; the "
        "learning rate would never be reached, so lower it"
    ]


def _named_problems(value: Any) -> list[str]:
    if not isinstance(value, (str, Mapping)):
        return []  # pydantic tells
    name, options = schedule_of(value)
    try:
        found = SCHEDULES.problems(name, options)
    except FaultdiagError as error:
        return [f"train.schedule: {error}"]
    return [f"train.schedule.{key}: {problem}" for key, problem in found.items()]
