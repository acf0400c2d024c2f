"""The unit of a channel, where its name states one."""

import re

_IN_BRACKETS = re.compile(r"[\[(]\s*([^\W\d_%°][^\])]{0,11}|%|°)\s*[\])]\s*$")


def unit_of(channel: str) -> str | None:
    """Give the unit in brackets at the end of a channel's name, or None.

    Examples
    --------
    >>> [unit_of(name) for name in ("acc [g]", "DE (m/s²)", "Data_1", "acc (2)", "[]")]
    ['g', 'm/s²', None, None, None]
    """
    found = _IN_BRACKETS.search(channel)
    return found[1].strip() if found else None
