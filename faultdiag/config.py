"""The configuration: a YAML file as a checked, typed object.

Everything about the *structure* of a config is checked here, without importing torch, and all
problems are told at once by their dotted path. What a component accepts as options is checked
against its builder's signature.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from faultdiag import yaml_file
from faultdiag.datasets import DATASETS, Dataset
from faultdiag.errors import FaultdiagError, did_you_mean, unknown
from faultdiag.normalize import NORMALIZERS
from faultdiag.overrides import override
from faultdiag.splits import STRATEGIES
from faultdiag.windows import WindowPlan


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError(f"found {', '.join(names)}; name each only once")
    return names


def _from_home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:
        reason = f"found {path}; there is no such home folder, write the path out"
        raise ValueError(reason) from error


# YAML has neither tuples nor paths: a list and text stand for them.
Names = Annotated[tuple[str, ...], Field(strict=False), AfterValidator(_distinct)]
Folder = Annotated[Path, Field(strict=False), AfterValidator(_from_home)]


class _Section(BaseModel):
    # Strict: true is no number and "5" is text.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class _Component(BaseModel):
    """A section whose remaining keys are the options of a named component."""

    model_config = ConfigDict(extra="allow", frozen=True)

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.__pydantic_extra__ or {})


class DataConfig(_Component):
    """Which recordings, which channels, at which rate, and what their classes are.

    Other keys are options of the dataset, which also has its own ``label`` where none is given.
    """

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    dataset: str = "cwru"
    root: Folder = Path("data/cwru")
    channels: Names = Field(default=("DE",), min_length=1)
    sampling_rate: float = Field(default=12000.0, gt=0)
    select: dict[str, list[Any]] = Field(default_factory=dict)
    label: str = "{code}{size}"
    healthy: Names = ("N",)
    prepared: Folder = Path("data/prepared")

    @model_validator(mode="before")
    @classmethod
    def _usual_label(cls, value: Any) -> Any:
        if not isinstance(value, Mapping) or "label" in value:
            return value
        dataset = value.get("dataset")
        if not isinstance(dataset, str) or dataset not in DATASETS:
            return value
        return {**value, "label": cast("type[Dataset]", DATASETS.get(dataset)).label}

    @field_validator("select", mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {k: list(v) if isinstance(v, (list, tuple)) else [v] for k, v in value.items()}


class WindowConfig(_Section):
    """How segments are cut into windows; see `faultdiag.windows.WindowPlan`."""

    length: int = Field(default=2048, ge=8)
    stride: int | None = Field(default=None, ge=1)
    per_class: int | None = Field(default=None, ge=1)
    test_stride: int | None = Field(default=None, ge=1)

    def plan(self) -> WindowPlan:
        """Give the plan; test windows don't overlap unless ``test_stride`` says so."""
        test_stride = self.test_stride or self.length
        return WindowPlan(self.length, self.stride, self.per_class, test_stride)


class SplitConfig(_Component):
    """A split strategy by name, and its options; `parse_config` checks both."""

    strategy: str = "within_recording"


class ModelConfig(_Component):
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


class TrainConfig(_Section):
    """How the network is trained."""

    epochs: int = Field(default=20, ge=1)
    batch_size: int = Field(default=128, ge=1)
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = Field(default=1e-3, gt=0)
    l2: float = Field(default=1e-4, ge=0)
    precision: Literal["float32", "bfloat16"] = "float32"
    threads: int | None = Field(default=None, ge=1)


class Config(_Section):
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
    data = yaml_file.read(path)
    if not isinstance(data, dict):
        raise FaultdiagError(
            f"{path} holds {_kind(data)}, no config; `faultdiag init` writes a starter"
        )
    for text in overrides:
        override(data, text)
    return parse_config(data, str(path))


def parse_config(data: Mapping[str, Any], source: str = "config") -> Config:
    """Check plain data as a config.

    Raises
    ------
    FaultdiagError
        With every problem on a line of its own: dotted path, what was found, what would work.
    """
    problems = [
        *_data_problems(data.get("data")),
        *_window_problems(data.get("window")),
        *_split_problems(data.get("split")),
    ]
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        problems += [_problem(dict(problem)) for problem in error.errors()]
    if problems:
        many = f"{len(problems)} problems" if len(problems) > 1 else "a problem"
        raise FaultdiagError(f"{source} has {many}:\n  " + "\n  ".join(problems))
    return config


def _data_problems(data: Any) -> list[str]:
    """Check the dataset and its options, which are those of its builder."""
    section = dict(data) if isinstance(data, Mapping) else {}
    dataset = section.get("dataset", DataConfig.model_fields["dataset"].default)
    if not isinstance(dataset, str):
        return []  # pydantic tells
    if dataset not in DATASETS:
        return [f"data.dataset: {unknown(DATASETS.kind, dataset, DATASETS)}"]
    fields, options = list(DataConfig.model_fields), list(DATASETS.options(dataset))
    given = {key: value for key, value in section.items() if key not in fields}
    known = [*fields, *options]
    strange = [
        f"data.{key}: unknown key{did_you_mean(key, known)}; known: {', '.join(known)}"
        for key in given
        if key not in options
    ]
    wrong = DATASETS.problems(dataset, {k: v for k, v in given.items() if k in options})
    return [*strange, *(f"data.{key}: {problem}" for key, problem in wrong.items())]


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
    return [f"split.{key}: {problem}" for key, problem in found.items()]


# What pydantic calls a problem -> what would work, in the words of YAML.
_REMEDIES = {
    "tuple_type": "write a list, such as [DE]",
    "dict_type": "write a mapping, such as {{key: value}}",
    "model_type": "write a mapping, such as {{key: value}}",
    "string_type": "write text, in quotes if YAML takes it for something else",
    "path_type": "write a path, in quotes if YAML takes it for something else",
    "int_type": "write a whole number",
    "float_type": "write a number",
    "finite_number": "write a finite number",
    "too_short": "write at least {min_length}",
    "greater_than_equal": "it must be {ge:g} or more",
    "greater_than": "it must be above {gt:g}",
    "less_than": "it must be below {lt}",
    "literal_error": "use {expected}",
}


def _problem(problem: dict[str, Any]) -> str:
    place = [str(part) for part in problem["loc"]]
    path = ".".join(place)
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        known = list(_section(place[:-1]).model_fields)
        return f"{path}: unknown key{did_you_mean(place[-1], known)}; known: {', '.join(known)}"
    if kind == "missing":
        return f"{path} is missing; write at least window: {{length: 2048, stride: 128}}"
    if kind == "value_error":
        return f"{path}: {context['error']}"
    return f"{path} is {problem['input']!r}; {_REMEDIES[kind].format(**context)}"


def _section(place: Sequence[str]) -> type[BaseModel]:
    section: type[BaseModel] = Config
    for key in place:
        section = cast("type[BaseModel]", section.model_fields[key].annotation)
    return section


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    return "a list" if isinstance(value, list) else f"the one value {value!r}"
