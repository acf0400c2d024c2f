"""Types of the representations' options that say their range, checked with the type."""

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

Scale = Literal["linear", "log", "root"]
Standardise = Literal["window", "channel", "none"]
Taper = Literal["hann", "none"]


def _count(value: int) -> int:
    if value < 1:
        raise ValueError("give 1 or more")
    return value


def _several(value: int) -> int:
    if value < 2:
        raise ValueError("give 2 or more")
    return value


def _positive(value: float) -> float:
    if not 0 < value < math.inf:
        raise ValueError("give a number above 0")
    return value


def _not_negative(value: float) -> float:
    if not 0 <= value < math.inf:
        raise ValueError("give 0 or a number above it")
    return value


Count = Annotated[int, Field(strict=True), AfterValidator(_count)]
Several = Annotated[int, Field(strict=True), AfterValidator(_several)]
Positive = Annotated[float, Field(strict=True), AfterValidator(_positive)]
NotNegative = Annotated[float, Field(strict=True), AfterValidator(_not_negative)]


def _band(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] >= value[1]:
        raise ValueError("give the lower frequency first, both in Hz")
    return value


Band = Annotated[tuple[NotNegative, Positive], AfterValidator(_band)]
