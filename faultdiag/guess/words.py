"""Words by which names of folders and files tell the state of a bearing."""

import re

# Whole words first, then beginnings; lower case.
_HEALTHY = frozenset(
    {"n", "h", "no", "nor", "norm", "ok", "good", "base", "ref", "reference", "new", "nofault"}
)
_HEALTHY_BEGIN = ("normal", "health", "baseline", "undamaged", "intact", "faultless", "nofault")
_FAULTY = frozenset(
    {"i", "ir", "irf", "if", "ib", "o", "or", "orf", "of", "ob", "b", "bf", "tb", "be", "re"}
    | {"c", "cf", "ca", "cage", "comb", "compound", "mixed", "defect", "worn", "f"}
)
_FAULTY_BEGIN = ("inner", "outer", "ball", "roll", "cage", "combin", "fault", "damag", "crack")


def is_healthy(name: str) -> bool:
    """Tell whether a name means a healthy bearing.

    Examples
    --------
    >>> [is_healthy(name) for name in ("N", "Normal_1", "baseline", "N1", "IR007", "noise")]
    [True, True, True, True, False, False]
    """
    word = first_letters(name).lower()
    return word in _HEALTHY or word.startswith(_HEALTHY_BEGIN)


def is_state(name: str) -> bool:
    """Tell whether a name means a state of a bearing, healthy or faulty.

    Examples
    --------
    >>> [is_state(name) for name in ("IR007", "InnerRaceFault", "outer", "N", "rig", "900")]
    [True, True, True, True, False, False]
    """
    word = first_letters(name).lower()
    return word in _FAULTY or word.startswith(_FAULTY_BEGIN) or is_healthy(name)


def first_letters(name: str) -> str:
    """Give the letters that a name begins with.

    Examples
    --------
    >>> first_letters("OR007@6"), first_letters("007")
    ('OR', '')
    """
    match = re.match(r"[^\W\d_]+", name)
    return match[0] if match else ""
