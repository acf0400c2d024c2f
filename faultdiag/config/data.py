"""The section ``data`` of a config: which recordings there are, and what they are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import AfterValidator, ConfigDict, Field, field_validator, model_validator

from faultdiag.config.sections import Component
from faultdiag.datasets import DATASETS, Dataset
from faultdiag.errors import did_you_mean, unknown


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


class DataConfig(Component):
    """Which recordings, which channels, at which rate, and what their classes are.

    Keys that are none of these are options of the dataset; `parse_config` checks them. Without
    ``label`` the classes are those that the dataset is usually told apart by.
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


def data_problems(data: Any) -> list[str]:
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
