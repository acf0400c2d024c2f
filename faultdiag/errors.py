"""The one error class for what the user can fix, and the phrases of its messages.

Any other exception that leaves faultdiag is a bug. A message says what was asked, what was found
and what would work. Names in it come from files, and are shown so that they can't forge a line or
control the terminal.
"""

import difflib
import functools
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import ParamSpec, TypeVar

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")

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
    return "\n".join(printable(line, keep="\t") for line in text.split("\n"))


class FaultdiagError(Exception):
    """Something the user can fix: a file, a setting, a device, a full disk.

    Its text names options of the command line. `for_python` changes it where the error leaves a
    function of the Python API; the command line writes `in_options` in either case.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(printable_lines(str(message)))
        self._by_arguments = False

    @property
    def in_options(self) -> str:
        """The message with the options of the command line: ``--sampling-rate``."""
        return super().__str__()

    def __str__(self) -> str:
        return in_arguments(self.in_options) if self._by_arguments else self.in_options

    def name_arguments(self) -> None:
        """Name arguments of Python in the message from here on: ``sampling_rate=``."""
        self._by_arguments = True


def for_python(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Return a function whose errors name arguments of Python, not options of a command."""

    @functools.wraps(function)
    def called(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result:
        try:
            return function(*args, **kwargs)
        except FaultdiagError as error:
            error.name_arguments()
            raise

    return called


@contextmanager
def needs_extra(extra: str, purpose: str, *, otherwise: str = "") -> Iterator[None]:
    """Turn the failed import of an optional package into an error that says how to install it.

    Parameters
    ----------
    extra
        The extra of faultdiag that installs the package.
    purpose
        What the package is imported for, as a clause.
    otherwise
        What else would help, to end the message with.

    Raises
    ------
    FaultdiagError
        If the block cannot import a package.
    """
    try:
        yield
    except ImportError as error:
        package = (error.name or "its package").partition(".")[0]
        problem = "is not installed; install it with:"
        if not isinstance(error, ModuleNotFoundError):
            problem = f"can't be imported: {error}; install it again:"
        raise FaultdiagError(
            f"{purpose}, but {package} {problem} pip install 'faultdiag[{extra}]'{otherwise}"
        ) from error


# Options that take no value, and what they are in Python.
_SWITCHES = frozenset({"overwrite", "resume", "override-rate", "evidence", "force", "json"})
# A command to type as it is stays as it is.
_COMMAND = re.compile(r"(`faultdiag [^`]*`|'faultdiag [^']*'|: faultdiag [^;]*)")
_SETTING = re.compile(r"--set '?([a-z_.]+)=")
_OPTION = re.compile(
    r"--(?:(device|method|novel|part) (\w+(?::\d+)?)"
    r"|([a-z][a-z-]*[a-z])(?: ([A-Z]+\b|-?\d[\w.]*|'[^']*'|[^\s:;,]*[/\\][^\s:;,]*))?)"
)


def in_arguments(text: str) -> str:
    """Return a message with arguments of Python in place of options of the command line.

    Examples
    --------
    >>> in_arguments("choose one with --channel, or --device cpu; --override-rate")
    "choose one with channel=, or device='cpu'; override_rate=True"
    >>> in_arguments("leave it out (--set model.attention=null)")
    'leave it out (model__attention=null)'
    >>> in_arguments("--out runs/a exists")
    'out=runs/a exists'
    """
    pieces = _COMMAND.split(text)
    for i, piece in enumerate(pieces[::2]):
        plain = _SETTING.sub(lambda m: m[1].replace(".", "__") + "=", piece)
        pieces[2 * i] = _OPTION.sub(_argument, plain)
    return "".join(pieces)


def _argument(match: re.Match[str]) -> str:
    word, text, option, value = match.groups(default="")
    if word:
        return f"{word}={text!r}"
    name = option.replace("-", "_")
    if option in _SWITCHES:
        return f"{name}=True" + (f" {value}" if value else "")
    return f"{name}={value}"


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


def first_names(names: Sequence[str], most: int = 3) -> str:
    """Return the first of several names with commas between, and dots where there are more.

    Examples
    --------
    >>> first_names(["DE", "FE", "BA"], most=2)
    'DE, FE, …'
    """
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"


def counted(count: int, noun: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> counted(1, "recording"), counted(0, "window"), counted(2, "class")
    ('1 recording', '0 windows', '2 classes')
    """
    plural = "es" if noun.endswith("s") else "s"
    return f"{count} {noun}{'' if count == 1 else plural}"


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
