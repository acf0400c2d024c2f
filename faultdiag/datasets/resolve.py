"""Where sampling rate, shaft speed and channels of a recording come from: one order for all.

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

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from faultdiag.datasets.fingerprints import has_known_length, known_by_samples
from faultdiag.datasets.identify import NamedRecording, identify, identify_by_name
from faultdiag.documents import Document
from faultdiag.errors import FaultdiagError, did_you_mean
from faultdiag.readers.base import Variable

# Rates may differ by that share before they contradict: a file's clock is seldom exact.
_RATE_TOLERANCE = 1e-3
# Speeds of two loads of CWRU differ by 1.3 %; the speeds that catalogues give are nominal.
_SPEED_TOLERANCE = 0.01
_NOMINAL_TOLERANCE = 0.1


class ContradictionError(FaultdiagError):
    """The user states another rate or speed than the file or a catalogue."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What the user states of a recording, and where.

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
    """What is known of a recording, and who states it.

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
    """What catalogues say of a file.

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
    """Return the channels that are wanted by their names, else by their order."""
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
