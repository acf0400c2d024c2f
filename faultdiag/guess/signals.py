"""Channels and rates that the files of a folder share."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from faultdiag.datasets.base import Entry, some
from faultdiag.datasets.facts import ContradictionError
from faultdiag.datasets.load import channel_names, entry_facts, open_entry, read_entry
from faultdiag.documents import Document
from faultdiag.errors import FaultdiagError, listed_names
from faultdiag.readers.read import FILE_TIMEOUT, list_variables, open_recording, reader_errors
from faultdiag.readers.source import RecordingSource
from faultdiag.signal.kinds import SignalKind, signal_kind
from faultdiag.signal.recording import Recording
from faultdiag.splits.within import STRATEGIES

# Files whose samples are examined, and samples of each.
MOST_FILES = 8
MOST_SAMPLES = 2**17

# Beginnings of words, in lower case: of vibration, and of what else is recorded beside it.
_VIBRATION = (
    *("acc", "vib", "beschl", "schwing", "körperschall", "accél", "accel", "aceler", "vibr"),
    *("振动", "振動", "加速度", "震动", "진동", "가속도", "вибр", "ускор", "titreş", "ivme"),
)
_OTHER = (
    *("rpm", "speed", "drehzahl", "vitesse", "velocidad", "转速", "速度计", "оборот", "скорост"),
    *("tacho", "key", "phasor", "trigger", "puls", "encoder", "angle", "winkel", "角度"),
    *("temp", "温度", "температур", "load", "last", "force", "kraft", "carga", "charge", "载荷"),
    *("负载", "нагруз", "torque", "drehmoment", "moment", "couple", "扭矩", "转矩", "current"),
    *("strom", "courant", "corriente", "电流", "ток", "volt", "spannung", "tension", "电压"),
    *("press", "druck", "压力", "label", "class", "klasse", "标签", "类别", "time", "zeit"),
    *("时间", "время", "index", "sample", "序号", "mic", "sound", "schall", "声", "humid", "power"),
)


@dataclass(frozen=True, slots=True)
class ChannelChoice:
    """The channels to train on, and why these."""

    channels: tuple[str, ...]
    reason: str


def choose_channel(paths: Sequence[Path], names: Sequence[str]) -> ChannelChoice:
    """Return the one channel among these that is a vibration in most of the files.

    Parameters
    ----------
    paths
        Files that have all of these channels; some are examined.
    names
        The channels.

    Raises
    ------
    FaultdiagError
        If no channel looks like a vibration, or several do; the message says what to answer.
    """
    left_out = _not_vibrations(paths, names)
    left_out |= _misnamed([name for name in names if name not in left_out])
    plausible = [name for name in names if name not in left_out]
    why = "; ".join(f"{name} {reason}" for name, reason in left_out.items())
    if len(plausible) == 1:
        rest = f"; left out: {why}" if why else ""
        return ChannelChoice((plausible[0],), f"it varies like a vibration{rest}")
    if not plausible:
        raise FaultdiagError(
            f"no channel of {paths[0].name} looks like a vibration: {why}; if one of them is, "
            f"name it with --channel, such as --channel '{names[0]}'"
        )
    rest = f" (left out: {why})" if why else ""
    raise FaultdiagError(
        f"{len(plausible)} channels look like vibration: {', '.join(plausible)}{rest}; say which "
        f"to train on: --channel '{plausible[0]}', or several: --channel '{','.join(plausible)}'"
    )


def _not_vibrations(paths: Sequence[Path], names: Sequence[str]) -> dict[str, str]:
    """Return the channels that don't look like a vibration in most of the files, and why."""
    step = -(-len(paths) // MOST_FILES)
    kinds = channel_kinds(paths[::step], names)
    others = {name: kind.reason for name, kind in kinds.items() if not kind.is_vibration}
    return _no_channels(paths[0]) | others


def _misnamed(names: Sequence[str]) -> dict[str, str]:
    """Return the channels whose names, among these, speak against a vibration, and why."""
    vibrations = set(filter(_is_vibration, names))
    others = [name for name in names if name not in vibrations]
    quantities = [name for name in others if _begins(name, _OTHER)]
    unnamed = [name for name in others if name not in quantities] if vibrations else []
    return dict.fromkeys(quantities, "is named as another quantity") | dict.fromkeys(
        unnamed, "isn't named as a vibration"
    )


_REASONS = {
    "number": "is a clock or a counter",
    "clock": "holds times of the day",
    "text": "holds text",
}


def _no_channels(path: Path) -> dict[str, str]:
    """Return the columns of a table that its reader takes for no channel, and why."""
    try:
        columns = [v for v in list_variables(path) if v.channel is None]
    except FaultdiagError:
        return {}
    return {v.name: _REASONS[v.kind] for v in columns if v.kind in _REASONS}


def channel_kinds(paths: Sequence[Path], names: Sequence[str]) -> dict[str, SignalKind]:
    """Return the commonest kind of each channel over the files that can be read."""
    votes: dict[str, list[SignalKind]] = {name: [] for name in names}
    for path in paths:
        for name, samples in _samples(path, names).items():
            votes[name].append(signal_kind(samples))
    kinds = {}
    for name, own in votes.items():
        against = [kind for kind in own if not kind.is_vibration]
        most = 2 * len(against) >= len(own)
        kinds[name] = against[0] if against and most else SignalKind("vibration", "")
    return kinds


def _samples(path: Path, names: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:
    try:
        with reader_errors(path, FILE_TIMEOUT):
            source = open_recording(path, channel=names)
            block = source.read(0, min(source.samples, MOST_SAMPLES))
        return dict(zip(names, block, strict=True))
    except FaultdiagError:
        if len(names) == 1:
            return {}
    # Channels of one file may differ in length or rate.
    return {
        name: samples for channel in names for name, samples in _samples(path, [channel]).items()
    }


def _is_vibration(name: str) -> bool:
    # CWRU's drive end, fan end and base, and axes such as a_x.
    return _begins(name, _VIBRATION) or bool(
        re.fullmatch(r"(?i)de|fe|ba|a[_ ]?[xyz]", name.strip())
    )


def _begins(name: str, beginnings: Sequence[str]) -> bool:
    words = re.split(r"[^\w]+|_|\d+|(?<=[a-z])(?=[A-Z])", name)
    return any(word.lower().startswith(tuple(beginnings)) for word in words if word)


_WHOLE = "across_recordings"
# Facts that are the class itself or a counter.
_NO_GROUPS = frozenset(
    {"label", "fault", "code", "name", "file", "path", "bearing", "end", "group"}
)


def split_comment(labels: Sequence[str], facts: Sequence[Document]) -> str:
    """Return the limits of a split within recordings, and how to choose another one.

    Parameters
    ----------
    labels, facts
        Class and facts of each recording.
    """
    fewest = min(labels.count(label) for label in set(labels))
    parts = ["train, valid and test are parts of the same recordings"]
    if fewest == 1:
        parts[0] += " (a class has one only)"
    parts[0] += ": the figures say nothing about other bearings or machines."
    other = []
    if fewest >= 3 and _WHOLE in STRATEGIES:
        other.append(f"{{strategy: {_WHOLE}}}")
    if held_out := _held_out(labels, facts):
        fact, value = held_out
        other.append(f"{{strategy: across, fact: {fact}, test: [{value}]}}")
    if other:
        parts.append(f"Harder, and nearer to new recordings: {' or '.join(other)}.")
    return " ".join(parts)


def _held_out(labels: Sequence[str], facts: Sequence[Document]) -> tuple[str, float] | None:
    """Return a number that every class has two values of, and its largest to be tested on."""
    names = dict.fromkeys(name for row in facts for name in row)
    for name in names:
        values = [row.get(name) for row in facts]
        if name in _NO_GROUPS or not all(isinstance(v, int | float) for v in values):
            continue
        common = _common_values(labels, values)
        if common:
            return name, max(common)
    return None


def _common_values(labels: Sequence[str], values: Sequence[Any]) -> set[Any]:
    """Return the values that all classes have; none where a class has one value only."""
    by_class: dict[str, set[Any]] = defaultdict(set)
    for label, value in zip(labels, values, strict=True):
        by_class[label].add(value)
    if min(map(len, by_class.values())) < 2:
        return set()
    return set.intersection(*by_class.values())


# Recordings that are read whole; of more, the smallest and the largest file of each class and
# others, and of the rest the header.
MOST_READ = 64
_ANY_NAME = "vibration"


@dataclass(frozen=True, slots=True)
class RecordingFacts:
    """Facts of one recording: samples, and rate and speed where anything states them."""

    name: str
    label: str
    samples: int
    sampling_rate: float | None
    rpm: float | None


@dataclass(frozen=True, slots=True)
class Signals:
    """Facts of the recordings.

    ``read`` has a row for each one that can be used, ``whole`` is how many of them were read to
    their end. ``broken`` says of those that can't be used why; ``reason`` why these channels were
    chosen.
    """

    read: list[RecordingFacts]
    channels: tuple[str, ...]
    reason: str
    broken: dict[str, str]
    whole: int = 0


def look_into(
    entries: Sequence[Entry],
    labels: Sequence[str],
    *,
    published: bool = False,
    stated: Sequence[str] = (),
) -> Signals:
    """Read a sample of the recordings, at least two of each class, and the headers of the others.

    Parameters
    ----------
    entries, labels
        The recordings and their classes.
    published
        Whether they are of a published set, whose first channel is a vibration.
    stated
        The channels that the user names; they decide.

    Raises
    ------
    FaultdiagError
        If no channel is common to them, or none of them can be read.
    """
    if entries[0].rows is not None:
        channels = tuple(stated) or tuple(entries[0].rows.channels)
        pairs = list(zip(entries, labels, strict=True))
        signals = _read(pairs, [channels], "those of the windows", {})
        return replace(signals, whole=len(pairs))
    names, broken = _own_channels(entries)
    sound = [pair for pair in zip(entries, labels, strict=True) if names.get(pair[0].name)]
    if not sound:
        raise FaultdiagError("\n".join(list(broken.values())[:5]))
    if stated:
        candidates, reason = [tuple(stated)], "as given with --channel"
    else:
        candidates, reason = _candidates([entry for entry, _ in sound], names, published=published)
    sample = _sample(sound)
    signals = _read(sample, candidates, reason, broken)
    return _with_headers(signals, _others(sound, sample), [entry.name for entry in entries])


def _own_channels(entries: Sequence[Entry]) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Return the channels of each file that has any, and of the others why it can't be used."""
    names: dict[str, list[str]] = {}
    broken: dict[str, str] = {}
    for entry in tqdm(entries, "looking at", unit="recording", disable=None):
        try:
            with reader_errors(entry.path, FILE_TIMEOUT):
                names[entry.name] = channel_names(entry.path)
        except FaultdiagError as error:
            broken[entry.name] = str(error)
    broken |= {e.name: f"{e.path} holds no signal" for e in entries if names.get(e.name) == []}
    return names, broken


def _sample(every: list[tuple[Entry, str]]) -> list[tuple[Entry, str]]:
    """Return the recordings to read whole: of many, some, with two of each class."""
    if len(every) <= MOST_READ:
        return every
    classes: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for i, (entry, label) in enumerate(every):
        classes[label].append((entry.path.stat().st_size, i))
    chosen = {i for sizes in classes.values() for _, i in (min(sizes), max(sizes))}
    step = -(-len(every) // MOST_READ)
    chosen |= set(list(range(0, len(every), step))[: max(0, MOST_READ - len(chosen))])
    return [every[i] for i in sorted(chosen)]


def _others(
    every: Sequence[tuple[Entry, str]], sample: Sequence[tuple[Entry, str]]
) -> list[tuple[Entry, str]]:
    """Return the recordings that are not in the sample."""
    names = {entry.name for entry, _ in sample}
    return [pair for pair in every if pair[0].name not in names]


def _candidates(
    entries: Sequence[Entry], names: Mapping[str, Sequence[str]], *, published: bool
) -> tuple[list[tuple[str, ...]], str]:
    """Return the channels that could be taken, the likeliest first, and why."""
    likeliest = Counter(entry.channels for entry in entries).most_common(1)[0][0]
    if likeliest:
        return [likeliest], "named by the manifest's column 'channel'"
    sets = Counter(tuple(names[entry.name]) for entry in entries)
    usual = sets.most_common(1)[0][0]
    common = set.intersection(*map(set, sets))
    everywhere = [name for name in usual if name in common]
    paths = [entry.path for entry in entries]
    if not everywhere:
        return _own_names(paths, sets)
    if published:
        return _any_of(everywhere, sets)
    choice = choose_channel(paths, everywhere)
    return [choice.channels], choice.reason


def _any_of(
    names: Sequence[str], sets: Counter[tuple[str, ...]]
) -> tuple[list[tuple[str, ...]], str]:
    """Return each channel of a published set that all files have."""
    count = Counter(chain.from_iterable(sets.elements()))
    listed = ", ".join(f"{name} ({count[name]})" for name in count)
    return [(name,) for name in names], f"channels, and how many files have them: {listed}"


def _own_names(
    paths: Sequence[Path], sets: Counter[tuple[str, ...]]
) -> tuple[list[tuple[str, ...]], str]:
    """Return the one channel of each file, where files without a common one have one each."""
    if any(len(names) > 1 for names in sets):
        shown = "; ".join(listed_names(names, most=5) for names, _ in sets.most_common(4))
        raise FaultdiagError(
            f"the recordings have no channel in common: {shown}; list them in a manifest whose "
            "column 'channel' says which one each recording has"
        )
    for path in paths[:: -(-len(paths) // MOST_FILES)]:
        choose_channel([path], channel_names(path))
    shown = some(names[0] for names in sets)
    why = f"each file holds one channel under a name of its own ({shown}): it is taken"
    return [(_ANY_NAME,)], why


def _read(
    sound: Sequence[tuple[Entry, str]],
    candidates: Sequence[tuple[str, ...]],
    reason: str,
    broken: Mapping[str, str],
) -> Signals:
    """Read the first channels that are alive in every recording, else the first ones."""
    attempts = []
    for channels in candidates:
        read, failed = _rows(sound, channels, whole=True)
        attempts.append(Signals(read, channels, reason, {**broken, **failed}))
        if not failed:
            break
    best = min(attempts, key=lambda signals: len(signals.broken))
    if not best.read:
        raise FaultdiagError("\n".join(list(best.broken.values())[:5]))
    return best


def _with_headers(
    signals: Signals, rest: Sequence[tuple[Entry, str]], order: Sequence[str]
) -> Signals:
    """Add the recordings that were not read, as their headers describe them."""
    others, failed = _rows(rest, signals.channels, whole=False)
    places = {name: i for i, name in enumerate(order)}
    read = sorted([*signals.read, *others], key=lambda row: places[row.name])
    broken = {**signals.broken, **failed}
    return replace(signals, read=read, broken=broken, whole=len(signals.read))


def _rows(
    sound: Sequence[tuple[Entry, str]], channels: Sequence[str], *, whole: bool
) -> tuple[list[RecordingFacts], dict[str, str]]:
    """Return a row for each recording, and of those that can't be used why."""
    read, failed, contradicted = [], {}, []
    for entry, label in tqdm(sound, "looking into", unit="recording", disable=None):
        try:
            with reader_errors(entry.path, FILE_TIMEOUT):
                read.append(_row(entry, label, channels, whole=whole))
        except ContradictionError as error:
            contradicted.append(str(error))
        except FaultdiagError as error:
            failed[entry.name] = str(error)
    if contradicted:
        more = [f"… and {len(contradicted) - 5} more"] if len(contradicted) > 5 else []
        raise ContradictionError("\n".join([*contradicted[:5], *more]))
    return read, failed


def _row(entry: Entry, label: str, channels: Sequence[str], *, whole: bool) -> RecordingFacts:
    opened = _opened(entry, channels, whole=whole)
    facts = entry_facts(entry, opened)
    return RecordingFacts(entry.name, label, opened.samples, facts.sampling_rate, facts.rpm)


def _opened(entry: Entry, channels: Sequence[str], *, whole: bool) -> Recording | RecordingSource:
    if not whole:
        return open_entry(entry, channels)
    recording = read_entry(entry, channels)
    recording.require_varying()
    return recording
