"""The recordings that a config asks for: those of its data, and with transfer of its target."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from faultdiag.config.schema import Config, DataConfig, TargetData, TargetFact, target_of
from faultdiag.datasets import DATASETS
from faultdiag.datasets.base import Entry, Selection, choose, some
from faultdiag.datasets.windows import Windows
from faultdiag.errors import FaultdiagError, counted, did_you_mean
from faultdiag.signal.bearings import KnownBearing, get_bearing


def select_recordings(config: Config) -> Selection:
    """Return the recordings that a config selects and that are in its folder.

    Raises
    ------
    FaultdiagError
        If there are none, or a condition of ``data.select`` is invalid.
    """
    return _selected(config.data)


def _require_fit(config: Config) -> None:
    """Check that windows that were cut before are taken as they are."""
    if config.data.dataset != "windows":
        return
    dataset = Windows(config.data.root, **config.data.options)
    plan = config.window.plan()
    strides = {plan.stride, plan.test_stride or plan.stride}
    dataset.require_fit(strategy=config.split.strategy, length=plan.length, strides=strides)
    rate = config.data.options.get("recorded_at")
    if rate is not None and rate != config.data.sampling_rate:
        raise FaultdiagError(
            f"data.sampling_rate is {config.data.sampling_rate:g} Hz and data.recorded_at "
            f"{rate:g} Hz, but windows that were cut before can't be resampled; write the same"
        )


def _selected(data: DataConfig) -> Selection:
    selection = DATASETS.build(data.dataset, data.root, **data.options).entries(data.select)
    return selection if data.bearing is None else with_bearing(selection, data.bearing)


def with_bearing(selection: Selection, bearing: str) -> Selection:
    """Return a selection whose recordings of unknown geometry have this bearing.

    Parameters
    ----------
    bearing
        A name or a geometry that `get_bearing` takes. What a catalogue or a manifest states of a
        recording wins over it, with a note where that is another bearing. A fact ``bearing`` that
        names no known geometry is a single bearing, and becomes the fact ``specimen``.

    Raises
    ------
    FaultdiagError
        If all recordings have another bearing.
    """
    own = get_bearing(bearing).orders
    stated = {entry.name: _geometry(entry) for entry in selection.entries}
    others = {name: b.name for name, b in stated.items() if b is not None and b.orders != own}
    named = ", ".join(dict.fromkeys(others.values()))
    if len(others) == len(stated):
        raise FaultdiagError(
            f"data.bearing is {bearing}, but the catalogue or manifest states another bearing "
            f"({named}) of all {counted(len(stated), 'recording')}; leave data.bearing out"
        )
    entries = [e if stated[e.name] else _of_bearing(e, bearing) for e in selection.entries]
    notes = list(selection.notes)
    if others:
        notes.append(
            f"data.bearing is {bearing}, but the catalogue or manifest states {named}, which is "
            f"used, of {some(others)}"
        )
    return replace(selection, entries=entries, notes=notes)


def _geometry(entry: Entry) -> KnownBearing | None:
    try:
        return get_bearing(str(entry.facts.get("bearing") or ""))
    except FaultdiagError:
        return None


def _of_bearing(entry: Entry, bearing: str) -> Entry:
    facts = {**entry.facts, "bearing": bearing}
    if name := entry.facts.get("bearing"):
        facts["specimen"] = entry.facts.get("specimen") or name
    return replace(entry, facts=facts)


@dataclass(frozen=True)
class ChosenRecordings:
    """The recordings of a config: those of its data, and with transfer those of its target.

    Parameters
    ----------
    entries
        The recordings.
    labels
        Class of each; empty where a target has none.
    channels
        The channels to read of each.
    target
        Indices of the target's; None without transfer, or where the split says it.
    missing, notes
        As of a `Selection`.
    """

    entries: list[Entry]
    labels: list[str]
    channels: list[tuple[str, ...]]
    target: list[int] | None
    missing: list[str]
    notes: list[str]


def choose_recordings(config: Config) -> ChosenRecordings:
    """Return the recordings that a config asks for, with their classes.

    Raises
    ------
    FaultdiagError
        As `select_recordings` and `label_entries`, and if there is no such target.
    """
    _require_fit(config)
    selection = select_recordings(config)
    entries = list(selection.entries)
    target: list[int] | None = None
    wanted = target_of(config)
    if isinstance(wanted, TargetFact):
        entries, target = _target_among(entries, wanted)
    chosen = ChosenRecordings(
        entries,
        label_entries(entries, config.data.label),
        [config.data.channels] * len(entries),
        target,
        list(selection.missing),
        list(selection.notes),
    )
    return _with_target(chosen, wanted) if isinstance(wanted, TargetData) else chosen


def _target_among(entries: Sequence[Entry], wanted: TargetFact) -> tuple[list[Entry], list[int]]:
    """Return the entries that are source or target, and which of them are the target."""
    facts = [entry.facts for entry in entries]
    try:
        domain = {id(row) for row in choose(facts, {wanted.fact: wanted.values})}
        chosen = {id(row) for row in choose(facts, {wanted.fact: wanted.values, **wanted.select})}
    except FaultdiagError as error:
        raise FaultdiagError(
            f"transfer.target: {error}; name others, or widen data.select to have them"
        ) from error
    kept = [e for e in entries if id(e.facts) in chosen or id(e.facts) not in domain]
    return kept, [i for i, entry in enumerate(kept) if id(entry.facts) in chosen]


def _with_target(source: ChosenRecordings, wanted: TargetData) -> ChosenRecordings:
    """Add the recordings of a target of other data."""
    data = wanted.data
    try:
        selection = _selected(data)
        labels = [
            _label(entry, data.label) if wanted.labelled else "" for entry in selection.entries
        ]
    except FaultdiagError as error:
        reason = str(error).replace("data.", "transfer.target.")
        without = "; transfer.target.label: null takes it without labels"
        raise FaultdiagError(
            f"the target of transfer: {reason}{without if 'label' in reason else ''}"
        ) from error
    first = len(source.entries)
    return ChosenRecordings(
        [*source.entries, *selection.entries],
        [*source.labels, *labels],
        [*source.channels, *[data.channels] * len(labels)],
        list(range(first, first + len(labels))),
        [*source.missing, *selection.missing],
        [*source.notes, *selection.notes],
    )


def label_entries(entries: Sequence[Entry], pattern: str) -> list[str]:
    """Return the class of each recording: the pattern with its facts filled in.

    Raises
    ------
    FaultdiagError
        If the pattern names a fact that a recording doesn't have, or gives one class only.
    """
    labels = [_label(entry, pattern) for entry in entries]
    if len(set(labels)) < 2:
        raise FaultdiagError(
            f"data.label {pattern!r} gives {counted(len(entries), 'recording')} the one class "
            f"'{labels[0]}'; two or more are needed: widen data.select or change data.label"
        )
    return labels


def _label(entry: Entry, pattern: str) -> str:
    facts = {key: "" if value is None else value for key, value in entry.facts.items()}
    try:
        label = pattern.format_map(facts)
    except KeyError as error:
        name = str(error.args[0])
        raise FaultdiagError(
            f"data.label {pattern!r} names the fact '{name}'{did_you_mean(name, facts)}; "
            f"{entry.path} has: {', '.join(facts)}"
        ) from error
    except (ValueError, TypeError, IndexError, AttributeError) as error:
        raise FaultdiagError(
            f"data.label is {pattern!r} ({error}); write facts in braces, as in '{{code}}{{size}}'"
        ) from error
    if not label:
        raise FaultdiagError(f"data.label {pattern!r} gives {entry.path} an empty class")
    return label
