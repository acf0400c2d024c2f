"""Facts of files, and the one order that decides sampling rate, speed and channels.

Facts come from names, from bytes, from the data set, and of the bearing that a file states.

The sampling rate is the first of these that is known:

1. ``file``: what the file itself states;
2. ``catalogue``: what the catalogue of a published set says of a file with these bytes;
3. ``argument``: what the user states, as an option, in a config, a manifest or a file's name;
4. ``catalogue, by name``: of a changed copy, whose name and variables have a catalogue's number;
5. ``config``: what the config of a training stated for recordings without a rate (``recorded_at``);
6. ``assumed``: the model's own rate.

The shaft speed follows the same order, except that a user's speed goes before a catalogue's,
which is nominal. Where the user contradicts the file or the catalogue, nothing is chosen in
silence: it is an error, or a warning where the user overrides.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from string import Formatter

import numpy as np

from faultdiag.datasets.identify import (
    NamedRecording,
    has_known_length,
    identify,
    identify_by_name,
    known_by_samples,
)
from faultdiag.documents import Document
from faultdiag.errors import FaultdiagError, did_you_mean, unknown
from faultdiag.readers.base import Variable
from faultdiag.readers.mat import open_arrays
from faultdiag.readers.read import READERS, SUFFIXES
from faultdiag.readers.source import reading
from faultdiag.signal.bearings import FaultOrders, StatedBearing

# Possessive where a neighbour could take over half of a number or a word.
CONVERTERS = {
    "": r"[^/_\-\s]+?",
    "alpha": r"[^\W\d_]++",
    "int": r"[-+]?[0-9]++",
    "float": r"[-+]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)",
    "word": r"\w+?",
    "any": r"[^/]+?",
}
# Fields of these end by themselves; two others need text between them.
_BOUNDED = frozenset({"alpha", "int", "float"})
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")
_BROKEN = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+")
_WRITE = "write fields in braces, as in '{fault}_{rpm}' or '{fault:alpha}{size}_{rpm}'"


class FilePattern:
    r"""A file-name pattern such as ``{fault:alpha}{size}_{rpm}.mat``.

    Text outside braces is matched as it is. A field takes text without ``/``, ``_``, ``-`` and
    spaces; a converter behind a colon makes that narrower or wider: ``alpha`` letters, ``int``
    and ``float`` numbers, ``word`` letters, digits and ``_``, ``any`` everything but ``/``.
    What is a number becomes one, except with leading zeros: ``007`` stays text (with ``int``
    and ``float`` it is a number all the same). A pattern is held against the file's name; one
    with a ``/`` against the folders too, as many as it names. The suffix may be left out.

    Parameters
    ----------
    text
        The pattern.

    Raises
    ------
    FaultdiagError
        If it has no field, a field without a name or twice, an unknown converter, two
        fields that nothing tells apart, or a brace too many.

    Examples
    --------
    >>> FilePattern("{fault:alpha}{size}_{rpm}").facts("rig 1/IR007_1797.mat")
    {'fault': 'IR', 'size': '007', 'rpm': 1797}
    >>> FilePattern("{machine}/{fault}_{rpm}.mat").facts("other/IR.mat")
    >>> FilePattern("{label}/{file:any}").facts("rig/inner/day 1_2.mat")
    {'label': 'inner', 'file': 'day 1_2'}
    """

    def __init__(self, text: str) -> None:
        self.text = text
        parts = _parse(text)
        self.fields = {name: converter for _, name, converter in parts if name}
        self._depth = text.count("/") + 1
        suffix = PurePosixPath(text).suffix.lower()
        ending = "" if suffix in SUFFIXES else f"(?:{'|'.join(map(re.escape, READERS))})"
        ending = ending and rf"{ending}(?:\.gz)?"
        pieces = (
            re.escape(literal) + (f"(?P<{name}>{CONVERTERS[converter]})" if name else "")
            for literal, name, converter in parts
        )
        text_of_parts = "".join(pieces)
        self._regex = re.compile(text_of_parts + f"(?i:{ending})")
        self._whole = re.compile(text_of_parts)

    def facts(self, path: str) -> dict[str, object] | None:
        """Return the facts in a path relative to the folder, or None if it doesn't fit."""
        place = "/".join(path.split("/")[-self._depth :])
        match = self._regex.fullmatch(place)
        suffixes = {suffix.lower() for suffix in PurePosixPath(place).suffixes}
        if match is None and suffixes.isdisjoint(SUFFIXES):
            # Recorders leave the suffix out, or end names in a number or a time.
            match = self._whole.fullmatch(place)
        if match is None:
            return None
        return {name: _value(match[name], converter) for name, converter in self.fields.items()}

    def __str__(self) -> str:
        """Return the pattern as it was written."""
        return self.text


def first_fit(patterns: Sequence[FilePattern], path: str) -> dict[str, object] | None:
    """Return the facts by the first pattern that a path fits, those of the others being None."""
    fit = next((facts for p in patterns if (facts := p.facts(path)) is not None), None)
    if fit is None:
        return None
    return {name: fit.get(name) for pattern in patterns for name in pattern.fields}


def number_or_text(text: str) -> int | float | str:
    """Return a number for text that is one, the text itself where it has leading zeros.

    Examples
    --------
    >>> [number_or_text(text) for text in ("900", "0.5", "-3", "007", "1e3", "nan", "IR")]
    [900, 0.5, -3, '007', '1e3', 'nan', 'IR']
    """
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _BROKEN.fullmatch(text) else text


def _value(text: str, converter: str) -> int | float | str:
    if converter == "int":
        return int(text)
    if converter == "float":
        return float(text)
    return text if converter == "alpha" else number_or_text(text)


def _parse(text: str) -> list[tuple[str, str, str]]:
    """Return (literal, field, converter) in order; a literal at the end has no field."""
    try:
        parsed = list(Formatter().parse(text))
    except ValueError as error:
        raise FaultdiagError(f"{text!r} can't be read ({error}); {_WRITE}") from error
    for literal, name, _, conversion in parsed:
        if name is not None:
            _require_plain(text, name, conversion)
        if "\\" in literal:
            raise FaultdiagError(f"{text!r} has a backslash; write '/' between folders")
    parts = [(literal, name or "", spec or "") for literal, name, spec, _ in parsed]
    _require_fields(text, parts)
    return parts


def _require_plain(text: str, name: str, conversion: str | None) -> None:
    """Refuse a field that is more than a name."""
    if conversion or not name.isidentifier():
        shown = f"{{{name}{'!' + conversion if conversion else ''}}}"
        raise FaultdiagError(
            f"{text!r} has the field {shown}; a field's name is letters, digits and '_', "
            "and a letter comes first"
        )


def _require_fields(text: str, parts: Iterable[tuple[str, str, str]]) -> None:
    seen: dict[str, str] = {}
    previous = ""
    for literal, name, converter in parts:
        if not name:
            continue
        if converter not in CONVERTERS:
            problem = unknown("converter", converter, filter(None, CONVERTERS))
            raise FaultdiagError(f"{text!r}, field '{name}': {problem}")
        if name in seen:
            raise FaultdiagError(f"{text!r} has the field '{name}' twice; give each its own name")
        if previous and not literal and _unbounded(seen[previous], converter):
            raise FaultdiagError(
                f"{text!r}: nothing tells where '{previous}' ends and '{name}' begins; give one "
                "of them a converter, such as {fault:alpha}{size}"
            )
        seen[name] = converter
        previous = name
    if not seen:
        raise FaultdiagError(f"{text!r} has no field; {_WRITE}")


def _unbounded(first: str, second: str) -> bool:
    return first == second or not {first, second} & _BOUNDED


_NAMES = ("bpfo", "bpfi", "bsf", "ftf")
# BPFO and BPFI add up to the number of balls, to the digits that files state.
_NEAR = 0.05
_BALLS = range(3, 100)


def stated_bearing(
    path: Path, variables: Iterable[Variable], rpm: float | None
) -> StatedBearing | None:
    """Return the fault orders from a MAT-file's scalars BPFO, BPFI, BSF and FTF, or None.

    They are taken for Hz at the shaft speed, or else for orders: whichever makes
    ``BPFO + BPFI`` a whole number of balls times the shaft rate.

    Parameters
    ----------
    path
        The file.
    variables
        What it holds; nothing is read unless all four are among them.
    rpm
        Its shaft speed.
    """
    scalars = {v.name.lower(): v.name for v in variables if set(v.shape) <= {1}}
    if path.suffix.lower() != ".mat" or not set(_NAMES) <= scalars.keys():
        return None
    values = _values(path, [scalars[name] for name in _NAMES])
    orders = None if values is None else _orders(values, rpm)
    return None if orders is None else StatedBearing("stated by the file", orders)


def _orders(values: list[float], rpm: float | None) -> FaultOrders | None:
    """Return the orders of values in Hz, else of orders, that make a whole number of balls."""
    for shaft in (*([rpm / 60] if rpm else []), 1.0):
        orders = FaultOrders(*(value / shaft for value in values))
        balls = orders.bpfo + orders.bpfi
        if round(balls) in _BALLS and abs(balls - round(balls)) < _NEAR:
            return orders
    return None


def cage_warning(bearing: StatedBearing) -> str | None:
    """Return why the stated rate of the cage can't be that of a bearing with a fixed outer ring."""
    orders = bearing.orders
    if orders.ftf < 0.5:
        return None
    cage = orders.bpfo / round(orders.bpfo + orders.bpfi)
    return (
        f"the file states an FTF of {orders.ftf:.3f} × shaft; with the outer ring fixed it is "
        f"BPFO / balls = {cage:.3f}, and {1 - cage:.3f} as seen from the shaft"
    )


def _values(path: Path, names: list[str]) -> list[float] | None:
    try:
        arrays = open_arrays(path)
    except FaultdiagError:
        return None  # MATLAB 7.3
    if not all(arrays[name].real for name in names):
        return None
    with reading(path):
        values = [arrays[name].scalar() for name in names]
    return values if all(0 < value < np.inf for value in values) else None


# Rates may differ by that share before they contradict: a file's clock is seldom exact.
_RATE_TOLERANCE = 1e-3
# Speeds of two loads of CWRU differ by 1.3 %; the speeds that catalogues give are nominal.
_SPEED_TOLERANCE = 0.01
_NOMINAL_TOLERANCE = 0.1


class ContradictionError(FaultdiagError):
    """The user states another rate or speed than the file or a catalogue."""


@dataclass(frozen=True, slots=True)
class Statement:
    """Statements of the user about a recording, and their places.

    Parameters
    ----------
    sampling_rate
        Hz, or None.
    rpm
        Shaft speed, or None.
    rate_place, rpm_place
        Where the two were written, as messages name it.
    """

    sampling_rate: float | None = None
    rpm: float | None = None
    rate_place: str = "--sampling-rate"
    rpm_place: str = "--rpm"


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts of a recording, and who states them.

    Parameters
    ----------
    sampling_rate, rate_source
        Hz and one of the sources above; None where nothing is known.
    rpm, rpm_source
        Shaft speed, likewise.
    catalogue
        What the catalogue of a published set says of the recording; empty where none knows it.
    warnings
        Contradictions that the user overrides, and what is less than certain.
    overridden
        The contradictions alone.
    """

    sampling_rate: float | None
    rate_source: str | None
    rpm: float | None
    rpm_source: str | None
    catalogue: Document = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    overridden: tuple[str, ...] = ()


def resolve_facts(
    path: Path,
    *,
    file: Statement,
    user: Statement,
    variables: Callable[[], Iterable[Variable]],
    recorded_at: float | None = None,
    assumed: float | None = None,
    needs_rpm: bool = True,
    needs_catalogue: bool = False,
    catalogue: Document | None = None,
    samples: int | None = None,
    override: bool = False,
    remedy: str = "--override-rate",
) -> Facts:
    """Return sampling rate and speed of a recording by the order of this module.

    Parameters
    ----------
    path
        The file; it is hashed only where a catalogue could decide something.
    file
        What the file itself states.
    user
        What the user states.
    variables
        Returns the file's variables; called only where a catalogue could decide something.
    recorded_at
        Hz that a training stated for recordings without a rate.
    assumed
        Hz to fall back on, or None.
    needs_rpm
        Whether the shaft speed matters: without it and with a rate in the file, no catalogue is
        asked.
    needs_catalogue
        Whether what a catalogue says besides, such as the bearing, matters.
    catalogue
        What the dataset that the file was found in says of it; None looks in all catalogues.
    samples
        Of the channels, where that is known: it spares listing the variables of most files.
    override
        Whether the user wins over file and catalogue; the contradiction becomes a warning.
    remedy
        What makes the user win, for messages.

    Raises
    ------
    ContradictionError
        If the user contradicts the file or the catalogue and doesn't override.
    FaultdiagError
        If the file can't be read.
    """
    known_rpm = file.rpm is not None or not needs_rpm
    settled = file.sampling_rate is not None and known_rpm and not needs_catalogue
    known = _look_up(path, variables, catalogue, samples, settled=settled)
    problems = _contradictions(file, known.sure, user)
    if problems and not override:
        raise ContradictionError(
            f"{path}: {'; '.join(problems)}; leave out what is wrong, or let your own win with "
            f"{remedy}"
        )
    first = user if override else Statement()
    rate, rate_source = _first(
        ("argument", first.sampling_rate),
        ("file", file.sampling_rate),
        ("catalogue", known.facts.get("sampling_rate")),
        ("argument", user.sampling_rate),
        ("catalogue, by name", known.by_name.get("sampling_rate")),
        ("config", recorded_at),
        ("assumed", assumed),
    )
    rpm, rpm_source = _first(
        ("argument", first.rpm),
        ("file", file.rpm),
        ("argument", user.rpm),
        ("catalogue", known.facts.get("rpm")),
        ("catalogue, by name", known.by_name.get("rpm")),
    )
    warnings = tuple(dict.fromkeys([*problems, *known.doubts(file, user)]))
    facts = known.facts or known.by_name
    return Facts(rate, rate_source, rpm, rpm_source, facts, warnings, tuple(problems))


@dataclass(frozen=True, slots=True)
class _CatalogueFacts:
    """Facts that catalogues state about a file.

    Parameters
    ----------
    facts
        By its content, or of a dataset's own files.
    named
        The published recording that its name tells, where there are no such facts.
    """

    facts: Document
    named: NamedRecording | None = None

    @property
    def by_name(self) -> Document:
        return {} if self.named is None else self.named.facts

    @property
    def sure(self) -> Document:
        """The facts that contradict a user who states others."""
        confirmed = self.named is not None and self.named.confirmed
        return self.facts or (self.by_name if confirmed else {})

    def doubts(self, file: Statement, user: Statement) -> list[str]:
        """Return why the facts by name may not hold."""
        if self.named is None:
            return []
        return [self.named.doubt, *_contradictions(file, self.by_name, user)]


def _look_up(
    path: Path,
    variables: Callable[[], Iterable[Variable]],
    catalogue: Document | None,
    samples: int | None,
    *,
    settled: bool,
) -> _CatalogueFacts:
    """Look a file up in the catalogues, unless its dataset or the file itself says enough."""
    if catalogue is not None:
        return _CatalogueFacts(catalogue)
    if settled:
        return _CatalogueFacts({})
    if known := identify(path):
        return _CatalogueFacts(known)
    if samples is None or has_known_length(samples):
        by_samples = known_by_samples(path, variables())
        if by_samples is not None:
            return _CatalogueFacts(by_samples.facts)
    return _CatalogueFacts({}, identify_by_name(path, variables, samples))


def _contradictions(file: Statement, known: Document, user: Statement) -> list[str]:
    """Return in words where the user contradicts the file or the catalogue."""
    rates = [("the file", file.sampling_rate), ("the catalogue", known.get("sampling_rate"))]
    contradictions = [
        f"{user.rate_place} is {user.sampling_rate:g} Hz; {who} says {value:g} Hz"
        for who, value in rates
        if _differ(user.sampling_rate, value, _RATE_TOLERANCE)
    ]
    speeds = [
        ("the file", file.rpm, _SPEED_TOLERANCE),
        ("the catalogue", None if file.rpm else known.get("rpm"), _NOMINAL_TOLERANCE),
    ]
    return contradictions + [
        f"{user.rpm_place} is {user.rpm:g} rpm; {who} says {value:g} rpm"
        for who, value, tolerance in speeds
        if _differ(user.rpm, value, tolerance)
    ]


def _differ(stated: float | None, value: float | None, tolerance: float) -> bool:
    return stated is not None and value is not None and abs(stated / value - 1) > tolerance


def _first(*values: tuple[str, float | None]) -> tuple[float | None, str | None]:
    """Return the first value that is known as a float, and who states it."""
    named = ((float(value), source) for source, value in values if value is not None)
    return next(named, (None, None))


def choose_channels(
    path: Path,
    own: Sequence[str],
    wanted: Sequence[str],
    *,
    aliases: Iterable[str] = (),
    stated: Sequence[str] = (),
    by_number: bool = True,
    who: str = "the model was trained on",
    remedy: str = "choose with --channel",
) -> list[str]:
    """Return the file's own channels that take the parts of those that are wanted, in order.

    Parameters
    ----------
    path
        The file, for messages.
    own
        The file's channels.
    wanted
        The channels of a config or a model.
    aliases
        Other names by which the file's channels can be read.
    stated
        The file's channels that the user names for them; they decide.
    by_number
        Whether a file that has as many channels, none under a wanted name, may call them
        anything.
    who, remedy
        Who wants the channels and what would work, for messages.

    Raises
    ------
    FaultdiagError
        If the numbers differ, or a wanted channel is missing.
    """
    if stated:
        return _stated_channels(path, wanted, stated, who)
    known = {*own, *aliases}
    # A file without any channel says why itself when it is read.
    if not own or known.issuperset(wanted):
        return list(wanted)
    if len(own) != len(wanted):
        raise FaultdiagError(
            f"{path} has {_count(own)}, {who} {len(wanted)} ({', '.join(wanted)}); {remedy}"
        )
    if by_number and known.isdisjoint(wanted):
        return list(own)
    missing = next(name for name in wanted if name not in known)
    raise FaultdiagError(
        f"{path} has no channel '{missing}'{did_you_mean(missing, own)}; it has: "
        f"{', '.join(own)}; {remedy}"
    )


def _stated_channels(
    path: Path, wanted: Sequence[str], stated: Sequence[str], who: str
) -> list[str]:
    """Return the requested channels by their names, else by their order."""
    if set(wanted) <= set(stated):
        return list(wanted)
    if len(stated) != len(wanted):
        raise FaultdiagError(
            f"{path}: {_count(stated)} given, {who} {len(wanted)} ({', '.join(wanted)}); "
            "name one for each"
        )
    return list(stated)


def _count(names: Sequence[str]) -> str:
    many = f"{len(names)} channel{'' if len(names) == 1 else 's'}"
    return f"{many} ({', '.join(names)})" if names else many
