"""The configuration: a YAML file as a checked, typed object.

Everything about the *structure* of a config is checked here, without importing torch, and all
problems are told at once by their dotted path. What a component accepts as options is checked
against its builder's signature.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import (
    Field,
    ValidationError,
    field_validator,
)

from faultdiag import yaml_file
from faultdiag.config.data import DataConfig, data_problems
from faultdiag.config.overrides import override
from faultdiag.config.problems import problem_text
from faultdiag.config.sections import PROTOCOL, Component, Section
from faultdiag.config.training import TrainConfig, schedule_problems
from faultdiag.errors import FaultdiagError, unknown
from faultdiag.normalize import NORMALIZERS
from faultdiag.splits import STRATEGIES
from faultdiag.splits.fold_options import option_problems
from faultdiag.windows import WindowPlan


class WindowConfig(Section):
    """How segments are cut into windows; see `faultdiag.windows.WindowPlan`."""

    length: int = Field(default=2048, ge=8)
    stride: int | None = Field(default=None, ge=1)
    per_class: int | None = Field(default=None, ge=1)
    test_stride: int | None = Field(default=None, ge=1)

    def plan(self) -> WindowPlan:
        """Give the plan; test windows don't overlap unless ``test_stride`` says so."""
        test_stride = self.test_stride or self.length
        return WindowPlan(self.length, self.stride, self.per_class, test_stride)


class SplitConfig(Component):
    """A split strategy by name, and its options; `parse_config` checks both."""

    strategy: str = "within_recording"


class ModelConfig(Component):
    """A network by name, what it sees of a window, its attention slots, and its options."""

    name: str = "wdcnn"
    representation: str | dict[str, Any] = "raw"
    attention: dict[str, Any] | list[dict[str, Any]] | None = None

    @field_validator("attention", mode="before")
    @classmethod
    def _slots(cls, value: Any) -> Any:
        slots = value if isinstance(value, list) else [value]
        if value is not None and not all(isinstance(slot, Mapping) for slot in slots):
            raise ValueError(
                f"found {value!r}; write a slot as {{name: eca, after: [2]}}, several as a list"
            )
        return value


class Config(Section):
    """A whole configuration; every section has defaults but ``window``."""

    seed: int = Field(default=0, ge=0, lt=2**32)
    data: DataConfig = Field(default_factory=DataConfig)
    window: WindowConfig
    split: SplitConfig = Field(default_factory=SplitConfig)
    normalize: str = "window_zscore"
    model: ModelConfig = Field(default_factory=ModelConfig)
    train: TrainConfig = Field(default_factory=TrainConfig)

    @field_validator("normalize")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in NORMALIZERS:
            raise ValueError(unknown("normaliser", value, NORMALIZERS))
        return value

    def to_yaml(self) -> str:
        """Give the resolved config as YAML that loads as an equal config."""
        return yaml_file.dump(self.model_dump(mode="json"))


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read a config file, apply ``a.b=value`` overrides and check everything.

    Raises
    ------
    FaultdiagError
        If the file can't be read, an override has no place in it, or anything in it is not as
        it should be; all problems are in the one message.
    """
    return parse_config(read_config(path, overrides), str(path))


def read_config(path: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Read a config file as plain data and apply ``a.b=value`` overrides; nothing is checked yet.

    Raises
    ------
    FaultdiagError
        If the file can't be read or holds no mapping, or an override has no place in it.
    """
    data = yaml_file.read(path)
    if not isinstance(data, dict):
        raise FaultdiagError(
            f"{path} holds {_kind(data)}, no config; `faultdiag init` writes a starter"
        )
    for text in overrides:
        override(data, text)
    return data


def parse_config(data: Mapping[str, Any], source: str = "config") -> Config:
    """Check plain data as a config; a section ``protocol`` is left to `faultdiag protocol`.

    Raises
    ------
    FaultdiagError
        With every problem on a line of its own: dotted path, what was found, what would work.
    """
    config, problems = try_config(data)
    if config is None:
        raise FaultdiagError(listed(source, problems))
    return config


def try_config(data: Mapping[str, Any]) -> tuple[Config | None, list[str]]:
    """Give plain data as a config, or None and every problem: path, what was found, what works."""
    data = {key: value for key, value in data.items() if key != PROTOCOL}
    problems = [
        *data_problems(data.get("data")),
        *_window_problems(data.get("window")),
        *_split_problems(data.get("split")),
        *schedule_problems(data.get("train")),
    ]
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        problems += [problem_text(dict(problem), Config) for problem in error.errors()]
    return (None, problems) if problems else (config, [])


def listed(source: str, problems: Sequence[str]) -> str:
    """Give problems as one message, each on a line of its own."""
    many = f"{len(problems)} problems" if len(problems) > 1 else "a problem"
    return f"{source} has {many}:\n  " + "\n  ".join(problems)


def _window_problems(window: Any) -> list[str]:
    """Check what pydantic would only check once every field is right, so that all is told."""
    if not isinstance(window, Mapping):
        return []
    given = [key for key in ("stride", "per_class") if window.get(key) is not None]
    if len(given) == 1:
        return []
    found = "both stride and per_class" if given else "neither stride nor per_class"
    return [f"window has {found}; give exactly one of them (the other null or left out)"]


def _split_problems(split: Any) -> list[str]:
    """Check the strategy and its options, which no type of pydantic describes."""
    section = dict(split) if isinstance(split, Mapping) else {}
    strategy = section.pop("strategy", SplitConfig().strategy)
    if not isinstance(strategy, str):
        return []  # pydantic tells
    if strategy not in STRATEGIES:
        return [f"split.strategy: {unknown(STRATEGIES.kind, strategy, STRATEGIES)}"]
    found = STRATEGIES.problems(strategy, section)
    if "folds" in STRATEGIES.options(strategy):
        found |= {k: v for k, v in option_problems(section).items() if k not in found}
    return [f"split.{key}: {problem}" for key, problem in found.items()]


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    return "a list" if isinstance(value, list) else f"the one value {value!r}"
