"""The config: its sections and their validation.

Everything about the *structure* of a config is checked here, without importing torch, and all
problems are reported at once by their dotted path. What a component accepts as options is checked
against its builder's signature.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from faultdiag.config.load import read_config
from faultdiag.config.schedules import SCHEDULES, Schedule
from faultdiag.datasets import DATASETS
from faultdiag.documents import Document, Json
from faultdiag.errors import FaultdiagError, did_you_mean, unknown
from faultdiag.signal.bearings import bearing_text
from faultdiag.signal.noise import KINDS
from faultdiag.signal.normalize import NORMALIZERS
from faultdiag.signal.windows import LONGEST_WINDOW, WindowPlan
from faultdiag.splits.base import option_problems
from faultdiag.splits.within import STRATEGIES
from faultdiag.system import files

if TYPE_CHECKING:
    from faultdiag.datasets.base import Dataset

# The section that says what `faultdiag protocol` compares; every other command ignores it.
PROTOCOL = "protocol"


class Section(BaseModel):
    """A section of known keys."""

    # Strict: true is not a number and "5" is text.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Component(BaseModel):
    """A section whose remaining keys are the options of a named component."""

    model_config = ConfigDict(extra="allow", frozen=True)

    @property
    def options(self) -> Json:
        """The keys that no field takes."""
        return dict(self.__pydantic_extra__ or {})


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


def _known_bearing(value: object) -> str | None:
    try:
        return None if value is None else bearing_text(value)
    except FaultdiagError as error:
        raise ValueError(str(error)) from error


# A name of the catalogue, which YAML may take for a number, or a geometry.
BearingName = Annotated[
    str | None,
    BeforeValidator(_known_bearing),
    WithJsonSchema({"type": ["string", "integer", "object", "null"]}),
]


class DataConfig(Component):
    """Which recordings, which channels, at which rate, and what their classes are.

    Keys that are none of these are options of the dataset; `parse_config` checks them. Without
    ``label`` the classes are those that the dataset usually has. ``bearing`` is the bearing of the
    recordings whose catalogue or manifest states none: a name that `faultdiag bearings` lists, or a
    geometry.
    """

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    dataset: str = "cwru"
    root: Folder = Path("data/cwru")
    channels: Names = Field(default=("DE",), min_length=1)
    sampling_rate: float = Field(default=12000.0, gt=0)
    select: dict[str, list[object]] = Field(default_factory=dict)
    label: str = "{code}{size}"
    healthy: Names = ("N",)
    bearing: BearingName = None
    prepared: Folder = Path("data/prepared")

    @model_validator(mode="before")
    @classmethod
    def _usual_label(cls, value: object) -> object:
        if not isinstance(value, Mapping) or "label" in value:
            return value
        dataset = value.get("dataset")
        if not isinstance(dataset, str) or dataset not in DATASETS:
            return value
        return {**value, "label": cast("type[Dataset]", DATASETS.get(dataset)).label}

    @field_validator("select", mode="before")
    @classmethod
    def _lists(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        return {k: list(v) if isinstance(v, (list, tuple)) else [v] for k, v in value.items()}


def data_problems(data: object) -> list[str]:
    """Check the dataset and its options, which are those of its builder."""
    section = dict(data) if isinstance(data, Mapping) else {}
    dataset = section.get("dataset", DataConfig.model_fields["dataset"].default)
    if not isinstance(dataset, str):
        return []  # pydantic tells
    if dataset not in DATASETS:
        return [f"data.dataset: {unknown(DATASETS.kind, dataset, DATASETS)}"]
    fields, options = DataConfig.model_fields, DATASETS.options(dataset)
    known = [*fields, *options]
    strange = [
        f"data.{key}: {_unknown_key(key, dataset, known)}" for key in section if key not in known
    ]
    own = {key: section[key] for key in section if key in options and key not in fields}
    wrong = DATASETS.problems(dataset, own)
    return [*strange, *(f"data.{key}: {problem}" for key, problem in wrong.items())]


def _unknown_key(key: str, dataset: str, known: Sequence[str]) -> str:
    if key == "override_rate":
        return (
            f"--override-rate lets a rate of yours win, and dataset {dataset} takes none: its "
            "files and its catalogue state the rates; leave it out, or read the folder with "
            "dataset: folder and data.recorded_at"
        )
    return f"unknown key{did_you_mean(key, known)}; known: {', '.join(known)}"


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


def _named(value: object) -> object:
    if not isinstance(value, (str, Mapping)):
        raise ValueError(f"found {value!r}; write a name, or {{name: cosine, final: 0.01}}")
    return value


Range = Annotated[tuple[float, ...], Field(strict=False), AfterValidator(_range)]
Gains = Annotated[Range, AfterValidator(_gains)]
Decibels = Annotated[Range, AfterValidator(_decibels)]


class AugmentConfig(Section):
    """Random changes of training windows; see `faultdiag.training.augment`."""

    shift: int = Field(default=0, ge=0)
    speed: float = Field(default=0.0, ge=0, le=0.5)
    snr: Decibels | None = None
    kinds: Names = Field(default=("white",), min_length=1)
    gain: Gains | None = None
    sign: bool = False
    mask: float = Field(default=0.0, ge=0, lt=1)

    @field_validator("kinds")
    @classmethod
    def _known_kinds(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for kind in value:
            if kind not in KINDS:
                raise ValueError(unknown("noise", kind, KINDS))
        return value

    @model_validator(mode="after")
    def _needs_snr(self) -> "AugmentConfig":
        if self.snr is None and self.kinds != ("white",):
            raise ValueError(
                f"kinds is [{', '.join(self.kinds)}], and without snr no noise is added; add snr, "
                "such as [-10, 20]"
            )
        return self


class TrainConfig(Section):
    """How the network is trained."""

    epochs: int = Field(default=20, ge=1)
    steps: int | None = Field(default=None, ge=1)
    batch_size: int = Field(default=128, ge=1)
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: float = Field(default=1e-3, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    l2: float = Field(default=1e-4, ge=0)
    schedule: Annotated[Any, AfterValidator(_named)] = "constant"
    warmup_epochs: float = Field(default=0.0, ge=0)
    early_stopping: int | None = Field(default=None, ge=1)
    keep: Literal["best", "last"] = "best"
    refit: bool = False
    clip_gradient: float | None = Field(default=None, gt=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    trim: float = Field(default=0.0, ge=0, lt=1)
    balance: Literal["none", "weights", "sampling", "recordings"] = "none"
    augment: AugmentConfig = Field(default_factory=AugmentConfig)
    running_statistics: Literal["debiased", "published"] = "debiased"
    precision: Literal["float32", "tf32", "bfloat16"] = "float32"
    deterministic: bool = False
    graphs: Literal["auto", "on", "off"] = "auto"
    threads: int | None = Field(default=None, ge=1)
    tensorboard: bool = False
    mlflow: str | None = Field(default=None, min_length=1)


def schedule_of(value: str | Document) -> tuple[str, Json]:
    """Return name and options of a schedule as a config writes it: a name, or name and options."""
    if isinstance(value, str):
        return value, {}
    options = dict(value)
    return str(options.pop("name", "")), options


def build_schedule(value: str | Document) -> Schedule:
    """Build the schedule that a config names.

    Raises
    ------
    FaultdiagError
        If there is no such schedule, or its options are not as they should be.
    """
    name, options = schedule_of(value)
    return SCHEDULES.build(name, **options)


def schedule_problems(train: object) -> list[str]:
    """Check what no type of pydantic describes: the schedule's name and options."""
    section = train if isinstance(train, Mapping) else {}
    return [*_warm_up_problems(section), *_named_problems(section.get("schedule"))]


def _warm_up_problems(train: Document) -> list[str]:
    fields = TrainConfig.model_fields
    warm_up, epochs = (train.get(k, fields[k].default) for k in ("warmup_epochs", "epochs"))
    if not all(isinstance(n, (int, float)) for n in (warm_up, epochs)) or warm_up <= epochs:
        return []
    if warm_up < 0 or epochs < 1:
        return []  # that is the problem
    if train.get("steps") is not None:
        return []  # how many epochs that makes is known with the windows
    return [
        f"train.warmup_epochs is {warm_up:g}, above train.epochs, which is {epochs:g}; the "
        "learning rate would never be reached, so lower it"
    ]


def _named_problems(value: object) -> list[str]:
    if not isinstance(value, (str, Mapping)):
        return []  # pydantic tells
    name, options = schedule_of(value)
    try:
        problems = SCHEDULES.problems(name, options)
    except FaultdiagError as error:
        return [f"train.schedule: {error}"]
    return [f"train.schedule.{key}: {problem}" for key, problem in problems.items()]


# What pydantic calls a problem -> what would work, in the words of YAML.
_REMEDIES = {
    "tuple_type": "write a list, such as [DE]",
    "dict_type": "write a mapping, such as {{key: value}}",
    "model_type": "write a mapping, such as {{key: value}}",
    "string_type": "write text, in quotes if YAML takes it for something else",
    "path_type": "write a path, in quotes if YAML takes it for something else",
    "bool_type": "write true or false",
    "int_type": "write a whole number",
    "float_type": "write a number",
    "finite_number": "write a finite number",
    "too_short": "write at least {min_length}",
    "greater_than_equal": "it must be {ge:g} or more",
    "greater_than": "it must be above {gt:g}",
    "less_than": "it must be below {lt}",
    "less_than_equal": "it must be {le:.10g} or less",
    "literal_error": "use {expected}",
}


def problem_text(problem: Json, config: type[BaseModel]) -> str:
    """Return a problem of a config as path, what was found and what would work."""
    place = [str(part) for part in problem["loc"]]
    path = ".".join(place)
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        known = [*_section(config, place[:-1]).model_fields, *([] if place[1:] else [PROTOCOL])]
        return f"{path}: unknown key{did_you_mean(place[-1], known)}; known: {', '.join(known)}"
    if kind == "missing":
        return f"{path} is missing; write at least window: {{length: 2048, stride: 128}}"
    if kind == "value_error":
        return f"{path}: {context['error']}"
    if kind == "string_type" and isinstance(problem["input"], dict):
        # What YAML makes of {code} without quotes.
        fields = "".join(f"{{{name}}}" for name in problem["input"])
        remedy = f'write text in quotes, as {path}: "{fields}" or --set \'{path}="{fields}"\''
        return f"{path} is {problem['input']!r}; {remedy}"
    return f"{path} is {problem['input']!r}; {_REMEDIES[kind].format(**context)}"


def _section(config: type[BaseModel], place: Sequence[str]) -> type[BaseModel]:
    section = config
    for key in place:
        section = cast("type[BaseModel]", section.model_fields[key].annotation)
    return section


class WindowConfig(Section):
    """How segments are cut into windows; see `faultdiag.signal.windows.WindowPlan`."""

    length: int = Field(default=2048, ge=8, le=LONGEST_WINDOW)
    stride: int | None = Field(default=None, ge=1)
    per_class: int | None = Field(default=None, ge=1)
    test_stride: int | None = Field(default=None, ge=1)

    def plan(self) -> WindowPlan:
        """Return the plan; test windows don't overlap unless ``test_stride`` says so."""
        test_stride = self.test_stride or self.length
        return WindowPlan(self.length, self.stride, self.per_class, test_stride)


class SplitConfig(Component):
    """A split strategy by name, and its options; `parse_config` checks both."""

    strategy: str = "within_recording"


class ModelConfig(Component):
    """A network by name, what it sees of a window, its attention slots, and its options."""

    name: str = "wdcnn"
    representation: str | Json | None = None
    attention: Json | list[Json] | None = None

    @field_validator("attention", mode="before")
    @classmethod
    def _slots(cls, value: object) -> object:
        slots = value if isinstance(value, list) else [value]
        if value is not None and not all(isinstance(slot, Mapping) for slot in slots):
            raise ValueError(
                f"found {value!r}; write a slot as {{name: eca, after: [2]}}, several as a list"
            )
        return value


class TransferConfig(Component):
    """From a labelled source to an unlabelled target; see `faultdiag.transfer`.

    With ``steps``, the source is trained as ``train`` says, then this number of steps adapt;
    without, the last epochs of ``train`` adapt, from ``start_epoch`` on. ``batch_size`` windows of
    each domain are in a step, ``train.batch_size`` unless given. Methods that don't train, such as
    ``adabn``, use neither. Other keys are options of the method, and are checked with the network.
    """

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    method: str = "mk_mmd_mcc"
    weight: float = Field(default=1.0, gt=0)
    start_epoch: int | None = Field(default=None, ge=1)
    steps: int | None = Field(default=None, ge=1)
    batch_size: int | None = Field(default=None, ge=1)
    target: Json | None = None
    adapt: float = Field(default=0.6, ge=0.01, le=0.99)
    hold_out: Literal["time", "recordings", "windows"] = "time"
    selection: Literal["last", "agreement", "mcc", "infomax", "reverse_validation"] = "last"
    guard: Literal["agreement", "none"] = "agreement"


@dataclass(frozen=True)
class TargetFact:
    """A target of the same data: the recordings whose fact has one of these values.

    ``select`` narrows them further; what it leaves out is neither source nor target.
    """

    fact: str
    values: tuple[object, ...]
    select: Document


@dataclass(frozen=True)
class TargetData:
    """A target of other data. Without labels its test part can't be scored."""

    data: DataConfig
    labelled: bool


class Config(Section):
    """A whole configuration; every section has defaults but ``window``."""

    seed: int = Field(default=0, ge=0, lt=2**32)
    data: DataConfig = Field(default_factory=DataConfig)
    window: WindowConfig
    split: SplitConfig = Field(default_factory=SplitConfig)
    normalize: str = "window_zscore"
    model: ModelConfig = Field(default_factory=ModelConfig)
    train: TrainConfig = Field(default_factory=TrainConfig)
    transfer: TransferConfig | None = None

    @field_validator("normalize")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in NORMALIZERS:
            raise ValueError(unknown("normaliser", value, NORMALIZERS))
        return value

    def to_yaml(self) -> str:
        """Return the resolved config as YAML that loads as an equal config."""
        return files.dump(self.model_dump(mode="json"))


_TARGET_FACT = ("fact", "values", "select")
# Of a target of other data, what it has in common with the source.
_OF_BOTH = ("channels", "sampling_rate", "prepared")


def target_of(config: Config) -> TargetFact | TargetData | None:
    """Return the target that a config names; None if its split names it."""
    target = config.transfer and config.transfer.target
    if not target:
        return None
    if "fact" in target:
        return TargetFact(
            target["fact"], tuple(_listed(target["values"])), target.get("select", {})
        )
    section = _target_section(config.data.model_dump(), target)
    labelled = section["label"] is not None
    section["label"] = section["label"] or config.data.label
    if not labelled and "labelled" in DATASETS.options(section["dataset"]):
        section["labelled"] = False
    return TargetData(DataConfig.model_validate(section), labelled)


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _target_section(source: Document, target: Document) -> Json:
    """Return a target's data section: the source's, changed; of another dataset little is kept."""
    same = target.get("dataset", source.get("dataset")) == source.get("dataset")
    kept = {key: value for key, value in source.items() if same or key in _OF_BOTH}
    section = {**kept, **target}
    return section if same or "label" in target else {"label": source.get("label"), **section}


def transfer_problems(data: Document) -> list[str]:
    """Check what no type of pydantic describes: the target, and the epochs of the source."""
    transfer = data.get("transfer")
    if not isinstance(transfer, Mapping):
        return []
    train = data.get("train")
    return [
        *_start_problems(transfer, train),
        *_refit_problems(train),
        *_target_problems(transfer, data),
    ]


def _refit_problems(train: object) -> list[str]:
    section = train if isinstance(train, Mapping) else {}
    if not section.get("refit"):
        return []
    return [
        "train.refit is true, but with transfer the last steps adapt the network that was trained "
        "before; leave refit out"
    ]


def _start_problems(transfer: Document, train: object) -> list[str]:
    start = transfer.get("start_epoch")
    if start is not None and transfer.get("steps") is not None:
        return [
            f"transfer has start_epoch {start} and steps {transfer['steps']}; with steps the "
            "adaptation begins after the last epoch of train, so leave one of them out"
        ]
    section = train if isinstance(train, Mapping) else {}
    epochs = section.get("epochs", TrainConfig.model_fields["epochs"].default)
    if not (isinstance(start, int) and isinstance(epochs, int)) or start < epochs:
        return []
    return [
        f"transfer.start_epoch is {start} and train.epochs {epochs}, which leaves no epoch to "
        f"adapt in; use {max(epochs - 1, 1)} or less, or more epochs"
    ]


def _target_problems(transfer: Document, data: Document) -> list[str]:
    target = transfer.get("target")
    if not isinstance(target, Mapping):
        return []
    if "fact" in target or "values" in target:
        return _target_fact_problems(target)
    source = data.get("data")
    source = dict(source) if isinstance(source, Mapping) else {}
    section = _target_section(source, target)
    if section.get("label", "") is None:
        section = {**section, "label": ""}
    problems = data_problems(section)
    if not problems:
        try:
            DataConfig.model_validate(section)
        except ValidationError as error:
            problems = [f"data.{problem_text(dict(e), DataConfig)}" for e in error.errors()]
    problems = [f"transfer.target{problem.removeprefix('data')}" for problem in problems]
    return [*problems, *_unlike_problems(source, section)]


def _target_fact_problems(target: Document) -> list[str]:
    example = "{fact: load_hp, values: [0]}"
    strange = [
        f"transfer.target.{key}: unknown key beside fact{did_you_mean(key, _TARGET_FACT)}; known: "
        f"{', '.join(_TARGET_FACT)}"
        for key in target
        if key not in _TARGET_FACT
    ]
    if not isinstance(target.get("fact"), str) or not _listed(target.get("values", [])):
        strange.append(f"transfer.target is {dict(target)!r}; write it as {example}")
    if not isinstance(target.get("select", {}), Mapping):
        strange.append(
            f"transfer.target.select is {target['select']!r}; write facts with their values, such "
            "as {fault: [inner, outer]}"
        )
    return strange


def _unlike_problems(source: Document, target: Document) -> list[str]:
    """Return the differences between the domains that one network can't handle."""
    fields = DataConfig.model_fields
    problems = []
    rate, other = (
        s.get("sampling_rate", fields["sampling_rate"].default) for s in (source, target)
    )
    if rate != other:
        problems.append(
            f"transfer.target.sampling_rate is {other!r} and data.sampling_rate {rate!r}, but one "
            "network sees both; leave it out: the target's recordings are resampled"
        )
    channels, others = (
        _listed(s.get("channels", fields["channels"].default)) for s in (source, target)
    )
    if len(channels) != len(others):
        problems.append(
            f"transfer.target.channels has {len(others)} ({', '.join(map(str, others))}) and "
            f"data.channels {len(channels)} ({', '.join(map(str, channels))}), but one network "
            "sees both; name as many channels"
        )
    return problems


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read a config file, apply ``a.b=value`` overrides and check everything.

    Raises
    ------
    FaultdiagError
        If the file can't be read, an override has no place in it, or anything in it is not as
        it should be; all problems are in the one message.
    """
    return parse_config(read_config(path, overrides), str(path))


def parse_config(data: Document, source: str = "config") -> Config:
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


def try_config(data: Document) -> tuple[Config | None, list[str]]:
    """Return plain data as a config, or None, and every problem by its dotted path."""
    data = {key: value for key, value in data.items() if key != PROTOCOL}
    problems = [
        *data_problems(data.get("data")),
        *_window_problems(data.get("window")),
        *_split_problems(data.get("split")),
        *schedule_problems(data.get("train")),
        *transfer_problems(data),
    ]
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        problems += [problem_text(dict(problem), Config) for problem in error.errors()]
    return (None, problems) if problems else (config, [])


def listed(source: str, problems: Sequence[str]) -> str:
    """Return problems as one message, each on a line of its own."""
    many = f"{len(problems)} problems" if len(problems) > 1 else "a problem"
    return f"{source} has {many}:\n  " + "\n  ".join(problems)


def _window_problems(window: object) -> list[str]:
    """Check the sections beyond their fields, so that all problems are reported at once."""
    if not isinstance(window, Mapping):
        return []
    given = [key for key in ("stride", "per_class") if window.get(key) is not None]
    if len(given) == 1:
        return []
    which = "both stride and per_class" if given else "neither stride nor per_class"
    return [f"window has {which}; give exactly one of them (the other null or left out)"]


def _split_problems(split: object) -> list[str]:
    """Check the strategy and its options, which no type of pydantic describes."""
    section = dict(split) if isinstance(split, Mapping) else {}
    strategy = section.pop("strategy", SplitConfig().strategy)
    if not isinstance(strategy, str):
        return []  # pydantic tells
    if strategy not in STRATEGIES:
        return [f"split.strategy: {unknown(STRATEGIES.kind, strategy, STRATEGIES)}"]
    problems = STRATEGIES.problems(strategy, section)
    if "folds" in STRATEGIES.options(strategy):
        problems |= {k: v for k, v in option_problems(section).items() if k not in problems}
    return [f"split.{key}: {problem}" for key, problem in problems.items()]
