"""Channels and rates that the files of a folder share."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from faultdiag.datasets.base import Entry, some
from faultdiag.datasets.load import channel_names, entry_facts, read_entry
from faultdiag.datasets.resolve import ContradictionError
from faultdiag.errors import FaultdiagError
from faultdiag.guess.channels import MOST_FILES, choose_channel
from faultdiag.readers.read import FILE_TIMEOUT, reader_errors
from faultdiag.splits.within import STRATEGIES

_WHOLE = "across_recordings"
# Facts that are the class itself or a counter.
_NO_GROUPS = frozenset(
    {"label", "fault", "code", "name", "file", "path", "bearing", "end", "group"}
)


def split_comment(labels: Sequence[str], facts: Sequence[Mapping[str, Any]]) -> str:
    """Return what a split within recordings leaves open, and what to write for another one.

    Parameters
    ----------
    labels, facts
        Of each recording.
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


def _held_out(labels: Sequence[str], facts: Sequence[Mapping[str, Any]]) -> tuple[str, Any] | None:
    """Return a number that every class has two values of, and its largest to be tested on."""
    names = dict.fromkeys(name for row in facts for name in row)
    for name in names:
        values = [row.get(name) for row in facts]
        if name in _NO_GROUPS or not all(isinstance(v, int | float) for v in values):
            continue
        groups: dict[str, set[Any]] = defaultdict(set)
        for label, value in zip(labels, values, strict=True):
            groups[label].add(value)
        common = set.intersection(*groups.values())
        if common and all(len(found) > 1 for found in groups.values()):
            return name, max(common)
    return None


# Recordings that are read; of more, the smallest and the largest file of each class and others.
MOST_READ = 64
_ANY_NAME = "vibration"


@dataclass(frozen=True, slots=True)
class Read:
    """What one recording holds: samples, and Hz and rpm where anything states them."""

    name: str
    label: str
    samples: int
    sampling_rate: float | None
    rpm: float | None


@dataclass(frozen=True, slots=True)
class Signals:
    """What the recordings that were read hold.

    ``broken`` says of those that can't be used why; ``reason`` why these channels were chosen.
    """

    read: list[Read]
    channels: tuple[str, ...]
    reason: str
    broken: dict[str, str]


def look_into(
    entries: Sequence[Entry],
    labels: Sequence[str],
    *,
    published: bool = False,
    stated: Sequence[str] = (),
) -> Signals:
    """Read a sample of the recordings, at least two of each class where there are so many.

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
    sample = _sample(entries, labels)
    names: dict[str, list[str]] = {}
    broken: dict[str, str] = {}
    for entry, _ in sample:
        try:
            with reader_errors(entry.path, FILE_TIMEOUT):
                names[entry.name] = channel_names(entry.path)
        except FaultdiagError as error:
            broken[entry.name] = str(error)
    sound = [(entry, label) for entry, label in sample if names.get(entry.name)]
    broken |= {e.name: f"{e.path} holds no signal" for e, _ in sample if names.get(e.name) == []}
    if not sound:
        raise FaultdiagError("\n".join(list(broken.values())[:5]))
    if stated:
        return _read(sound, [tuple(stated)], "as given with --channel", broken)
    candidates, reason = _candidates([entry for entry, _ in sound], names, published=published)
    return _read(sound, candidates, reason, broken)


def _sample(entries: Sequence[Entry], labels: Sequence[str]) -> list[tuple[Entry, str]]:
    every = list(zip(entries, labels, strict=True))
    if len(every) <= MOST_READ:
        return every
    classes: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for i, (entry, label) in enumerate(every):
        classes[label].append((entry.path.stat().st_size, i))
    chosen = {i for found in classes.values() for _, i in (min(found), max(found))}
    step = -(-len(every) // MOST_READ)
    chosen |= set(list(range(0, len(every), step))[: max(0, MOST_READ - len(chosen))])
    return [every[i] for i in sorted(chosen)]


def _candidates(
    entries: Sequence[Entry], names: Mapping[str, Sequence[str]], *, published: bool
) -> tuple[list[tuple[str, ...]], str]:
    """Return the channels that could be taken, the likeliest first, and why."""
    named = Counter(entry.channels for entry in entries)
    likeliest = named.most_common(1)[0][0]
    if likeliest:
        return [likeliest], "named by the manifest's column 'channel'"
    sets = Counter(tuple(names[entry.name]) for entry in entries)
    usual = sets.most_common(1)[0][0]
    everywhere = [n for n in usual if all(n in own for own in sets)]
    paths = [entry.path for entry in entries]
    if everywhere and not published:
        choice = choose_channel(paths, everywhere)
        return [choice.channels], choice.reason
    if everywhere:
        count = Counter(n for own in sets.elements() for n in own)
        listed = ", ".join(f"{name} ({count[name]})" for name in count)
        return [(name,) for name in everywhere], f"channels, and how many files have them: {listed}"
    if all(len(own) == 1 for own in sets):
        for path in paths[:: -(-len(paths) // MOST_FILES)]:
            choose_channel([path], channel_names(path))
        shown = some(own[0] for own in sets)
        why = f"each file holds one channel under a name of its own ({shown}): it is taken"
        return [(_ANY_NAME,)], why
    shown = "; ".join(", ".join(own) for own, _ in sets.most_common(4))
    raise FaultdiagError(
        f"the recordings have no channel in common: {shown}; list them in a manifest whose column "
        "'channel' says which one each recording has"
    )


def _read(
    sound: Sequence[tuple[Entry, str]],
    candidates: Sequence[tuple[str, ...]],
    reason: str,
    broken: Mapping[str, str],
) -> Signals:
    """Read the first channels that are alive in every recording, else the first ones."""
    found = []
    for channels in candidates:
        read, failed = _read_all(sound, channels)
        found.append(Signals(read, channels, reason, {**broken, **failed}))
        if not failed:
            break
    best = min(found, key=lambda signals: len(signals.broken))
    if not best.read:
        raise FaultdiagError("\n".join(list(best.broken.values())[:5]))
    return best


def _read_all(
    sound: Sequence[tuple[Entry, str]], channels: Sequence[str]
) -> tuple[list[Read], dict[str, str]]:
    read, failed, contradicted = [], {}, []
    for entry, label in tqdm(sound, "looking into", unit="recording", disable=None):
        try:
            with reader_errors(entry.path, FILE_TIMEOUT):
                recording = read_entry(entry, channels)
                recording.require_varying()
                facts = entry_facts(entry, recording)
        except ContradictionError as error:
            contradicted.append(str(error))
            continue
        except FaultdiagError as error:
            failed[entry.name] = str(error)
            continue
        read.append(Read(entry.name, label, recording.samples, facts.sampling_rate, facts.rpm))
    if contradicted:
        more = [f"… and {len(contradicted) - 5} more"] if len(contradicted) > 5 else []
        raise ContradictionError("\n".join([*contradicted[:5], *more]))
    return read, failed
