"""The one error class for what the user can mend, and the did-you-mean that goes with it.

Anything else that surfaces from faultdiag is a bug. A message says what was asked, what was
found and what would work.
"""

import difflib
from collections.abc import Iterable


class FaultdiagError(Exception):
    """Something the user can mend: a file, a setting, a device, a full disk."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Give `` (did you mean 'x'?)`` for the known name nearest to `name`, or nothing.

    Case counts only where it decides between two names. The beginning of a single known name
    is near to it, however long the rest.

    Examples
    --------
    >>> did_you_mean("sse", ["se", "eca", "cbam"])
    " (did you mean 'se'?)"
    >>> did_you_mean("within", ["within_recording", "random_windows"])
    " (did you mean 'within_recording'?)"
    >>> did_you_mean("zzz", ["se", "eca"])
    ''
    """
    asked, names = str(name), [str(k) for k in known]
    by_lower = {k.lower(): k for k in names}
    lower = asked.lower()
    near = [
        *difflib.get_close_matches(asked, names, n=1),
        *(by_lower[k] for k in difflib.get_close_matches(lower, by_lower, n=1)),
    ]
    begun = [k for low, k in by_lower.items() if asked and low.startswith(lower)]
    if len(begun) == 1:
        near += begun
    return f" (did you mean '{near[0]}'?)" if near else ""


def unknown(kind: str, name: str, known: Iterable[str]) -> FaultdiagError:
    """Error for a name that stands in no list: the name, the nearest one, all known ones.

    Examples
    --------
    >>> print(unknown("attention block", "sse", ["se", "eca"]))
    unknown attention block 'sse' (did you mean 'se'?); known: eca, se
    """
    names = sorted(str(k) for k in known)
    return FaultdiagError(
        f"unknown {kind} '{name}'{did_you_mean(name, names)}; known: {', '.join(names) or 'none'}"
    )
