"""The one error class for what the user can fix, and the phrases of its messages.

Any other exception that leaves faultdiag is a bug. A message says what was asked, what was found
and what would work. Names in it come from files, and are shown so that they can't forge a line or
control the terminal.
"""

import difflib
import unicodedata
from collections.abc import Iterable
from itertools import islice

# Categories of characters that do something instead of being shown: controls, formats such as
# right-to-left marks, halves of surrogate pairs, private and unassigned characters, separators of
# lines and of paragraphs.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Characters of a name that are compared or shown, and names that are compared.
_LONGEST_NAME = 100
_MOST_COMPARED = 2000


def is_shown(character: str) -> bool:
    """Return whether a character is shown as itself and does nothing else."""
    return character.isprintable() or unicodedata.category(character) not in _UNSAFE


def printable(text: str, *, keep: str = "") -> str:
    r"""Return text with an escape in place of every character that is not shown as itself.

    Parameters
    ----------
    text
        A name from a file, such as that of a file, label or variable.
    keep
        Characters that are left as they are.

    Examples
    --------
    >>> print(printable("bearing 正常 \x1b[2J\n\u202e"))
    bearing 正常 \x1b[2J\n\u202e
    """
    if text.isprintable():
        return text
    return "".join(c if c in keep or is_shown(c) else _escape(c) for c in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def printable_lines(text: str) -> str:
    r"""Return text of several lines as `printable` does, with its line ends and tabs.

    Examples
    --------
    >>> print(printable_lines("one\ntwo \x1b"))
    one
    two \x1b
    """
    return printable(text, keep="\n\t")


class FaultdiagError(Exception):
    """Something the user can fix: a file, a setting, a device, a full disk."""

    def __init__(self, message: object = "") -> None:
        super().__init__(printable_lines(str(message)))


def about(error: FaultdiagError, path: object) -> FaultdiagError:
    r"""Return an error whose message names a file in one line, whatever its name is.

    Examples
    --------
    >>> print(about(FaultdiagError("a\nb.mat is empty"), "a\nb.mat"))
    a\nb.mat is empty
    """
    name = str(path)
    if name.isprintable():
        return error
    return type(error)(str(error).replace(printable_lines(name), printable(name)))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for the known name nearest to `name`, or nothing.

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
    given, names = str(name)[:_LONGEST_NAME], [str(k) for k in islice(known, _MOST_COMPARED)]
    by_lower = {k.lower(): k for k in names}
    lower = given.lower()
    near = [
        *difflib.get_close_matches(given, names, n=1),
        *(by_lower[k] for k in difflib.get_close_matches(lower, by_lower, n=1)),
    ]
    prefixed = [k for low, k in by_lower.items() if given and low.startswith(lower)]
    if len(prefixed) == 1:
        near += prefixed
    return f" (did you mean '{printable(near[0])}'?)" if near else ""


def listed_names(names: Iterable[str], most: int = 20) -> str:
    """Return names with commas between, the first `most` of them and how many more there are.

    Examples
    --------
    >>> listed_names(["DE", "FE", "BA"], most=2)
    'DE, FE and 1 more'
    """
    every = [printable(_shortened(str(name))) for name in names]
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return (", ".join(every[:most]) or "none") + more


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"


def counted(count: int, noun: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> counted(1, "recording"), counted(0, "window")
    ('1 recording', '0 windows')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"


def unknown(kind: str, name: str, known: Iterable[str]) -> FaultdiagError:
    """Return the error for a name that is not in a list: the name, the nearest, all known ones.

    Examples
    --------
    >>> print(unknown("attention block", "sse", ["se", "eca"]))
    unknown attention block 'sse' (did you mean 'se'?); known: eca, se
    """
    names = sorted(str(k) for k in known)
    hint = did_you_mean(name, names)
    return FaultdiagError(
        f"unknown {kind} '{printable(str(name))}'{hint}; known: {', '.join(names) or 'none'}"
    )
