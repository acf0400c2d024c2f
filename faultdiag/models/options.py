"""The types of the options of networks; each refuses what no network can use."""

import math
from typing import Annotated

from pydantic import AfterValidator, Field


def _share(value: float) -> float:
    if not 0 <= value < 1:
        raise ValueError("give 0 or more and less than 1")
    return value


def _count(value: int) -> int:
    if value < 1:
        raise ValueError("give 1 or more")
    return value


def _counts(value: tuple[int, ...]) -> tuple[int, ...]:
    if not value:
        raise ValueError("give at least one number")
    return value


Share = Annotated[float, Field(strict=True), AfterValidator(_share)]
Count = Annotated[int, Field(strict=True), AfterValidator(_count)]
Counts = Annotated[tuple[Count, ...], AfterValidator(_counts)]


def _share_range(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError("give the smaller share first")
    return value


ShareRange = Annotated[tuple[Share, Share], AfterValidator(_share_range)]


def _fraction(value: float) -> float:
    if not 0 < value <= 1:
        raise ValueError("give more than 0 and at most 1")
    return value


Fraction = Annotated[float, Field(strict=True), AfterValidator(_fraction)]


def _not_negative(value: float) -> float:
    if not 0 <= value < math.inf:
        raise ValueError("give 0 or more")
    return value


NotNegative = Annotated[float, Field(strict=True), AfterValidator(_not_negative)]
