"""Sizes a block derives from its channels and options, and what it refuses.

Every function takes the block's registry name for its message.
"""

from faultdiag.errors import FaultdiagError


def check_channels(block: str, channels: int, *, multiple_of: int = 1) -> None:
    """Refuse a number of channels the block cannot divide.

    Raises
    ------
    FaultdiagError
        If `channels` is below 1 or no multiple of `multiple_of`.
    """
    if channels < 1:
        raise FaultdiagError(f"attention block '{block}': channels is {channels}; use 1 or more")
    if channels % multiple_of:
        lower = channels - channels % multiple_of
        near = f"{lower} or {lower + multiple_of}" if lower else f"{multiple_of}"
        raise FaultdiagError(
            f"attention block '{block}' needs channels divisible by {multiple_of}, "
            f"found {channels}; use {near}"
        )


def hidden_width(block: str, channels: int, reduction: int | None, *, default: int) -> int:
    """Hidden width ``channels // reduction`` of a block that has no minimum width.

    A reduction left at None is `default`, and the width then is at least 1. One given by the
    caller must leave at least one hidden unit by itself.

    Raises
    ------
    FaultdiagError
        If a given `reduction` is below 1 or larger than `channels`.

    Examples
    --------
    >>> hidden_width("se", 64, None, default=16), hidden_width("se", 8, None, default=16)
    (4, 1)
    """
    if reduction is None:
        return max(1, channels // default)
    if not 1 <= reduction <= channels:
        raise FaultdiagError(
            f"attention block '{block}': reduction is {reduction} at {channels} channels; "
            f"use 1 to {channels}"
        )
    return channels // reduction


def floored_width(block: str, channels: int, reduction: int, minimum: int) -> int:
    """Hidden width ``max(minimum, channels // reduction)``.

    Raises
    ------
    FaultdiagError
        If `reduction` or `minimum` is below 1.

    Examples
    --------
    >>> floored_width("ca", 64, 32, 8), floored_width("ca", 512, 32, 8)
    (8, 16)
    """
    at_least("reduction", reduction, block)
    at_least("min_width", minimum, block)
    return max(minimum, channels // reduction)


def at_least(option: str, value: int, block: str, *, minimum: int = 1) -> None:
    """Refuse an option below `minimum`.

    Raises
    ------
    FaultdiagError
        If it is.
    """
    if value < minimum:
        raise FaultdiagError(
            f"attention block '{block}': {option} is {value}; use {minimum} or more"
        )


def check_odd(block: str, kernel_size: int, *, option: str = "kernel_size") -> None:
    """Refuse a kernel that cannot be centred: an even one would lengthen its output by 1.

    Raises
    ------
    FaultdiagError
        If `kernel_size` is even or below 1.
    """
    if kernel_size < 1 or kernel_size % 2 == 0:
        near = f"{kernel_size - 1} or {kernel_size + 1}" if kernel_size > 1 else "1 or 3"
        raise FaultdiagError(
            f"attention block '{block}': {option} is {kernel_size} but must be odd; use {near}"
        )


def check_divides(block: str, option: str, value: int, channels: int) -> None:
    """Refuse an option that does not divide the channels, naming those that do.

    Raises
    ------
    FaultdiagError
        If `value` is below 1 or does not divide `channels`.
    """
    if value < 1 or channels % value:
        divisors = [d for d in range(1, channels + 1) if channels % d == 0]
        raise FaultdiagError(
            f"attention block '{block}': {option} is {value}, which does not divide {channels} "
            f"channels; use one of {', '.join(map(str, divisors))}"
        )


def check_batch_statistics(block: str, training: bool, values: int) -> None:
    """Refuse to train a BatchNorm on a single value, whose variance is 0 by definition.

    Raises
    ------
    FaultdiagError
        If `training` is true and the statistics would come from fewer than 2 values.
    """
    if training and values < 2:
        raise FaultdiagError(
            f"attention block '{block}' has a BatchNorm that would see {values} value per channel "
            "in training; use a batch of 2 or more and drop a last batch of 1"
        )
