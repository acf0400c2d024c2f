"""Types of a component's options: numbers that are checked when a config is read.

They are used in the signatures of networks, front ends and transfer methods. Registries read
the allowed values of an option from them.
"""

import math
from typing import Annotated

from pydantic import AfterValidator, Field


def _count(value: int) -> int:
    if value < 1:
        raise ValueError("give 1 or more")
    return value


def _several(value: int) -> int:
    if value < 2:
        raise ValueError("give 2 or more")
    return value


def _counts(value: tuple[int, ...]) -> tuple[int, ...]:
    if not value:
        raise ValueError("give at least one number")
    return value


def _positive(value: float) -> float:
    if not 0 < value < math.inf:
        raise ValueError("give a number above 0")
    return value


def _not_negative(value: float) -> float:
    if not 0 <= value < math.inf:
        raise ValueError("give 0 or more")
    return value


def _share(value: float) -> float:
    if not 0 <= value < 1:
        raise ValueError("give 0 or more and less than 1")
    return value


def _share_range(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError("give the smaller share first")
    return value


def _fraction(value: float) -> float:
    if not 0 < value <= 1:
        raise ValueError("give more than 0 and at most 1")
    return value


Count = Annotated[int, Field(strict=True), AfterValidator(_count)]
Several = Annotated[int, Field(strict=True), AfterValidator(_several)]
Counts = Annotated[tuple[Count, ...], AfterValidator(_counts)]
Positive = Annotated[float, Field(strict=True), AfterValidator(_positive)]
NotNegative = Annotated[float, Field(strict=True), AfterValidator(_not_negative)]
Share = Annotated[float, Field(strict=True), AfterValidator(_share)]
ShareRange = Annotated[tuple[Share, Share], AfterValidator(_share_range)]
Fraction = Annotated[float, Field(strict=True), AfterValidator(_fraction)]
