"""The plan of a protocol: axes, cells, seeds."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import chain
from operator import contains
from pathlib import Path

from faultdiag.baselines import BASELINES
from faultdiag.config.load import read_config
from faultdiag.config.schema import (
    PROTOCOL,
    Config,
    TransferConfig,
    listed,
    try_config,
)
from faultdiag.datasets.base import Entry
from faultdiag.documents import Document, Json
from faultdiag.errors import FaultdiagError, did_you_mean
from faultdiag.preparing.folds import Fold, expand
from faultdiag.preparing.recordings import label_entries, select_recordings
from faultdiag.protocol.section import Section, read_section

# Strategy, the fact whose values are its groups, and the folds that compare them.
_ACROSS = (("across_loads", "load_hp", "pairs"), ("across_sizes", "size", "each"))


def default_protocols(config: Config) -> tuple[dict[str, Json], list[str]]:
    """Return the default protocols by name, and a note on each one left out.

    Across loads and sizes need two values of the fact, and that whatever is tested is trained
    on. Where the classes themselves name the size, `data.label` leaves it out.

    Raises
    ------
    FaultdiagError
        If the recordings can't be found or labelled.
    """
    entries = select_recordings(config).entries
    label = config.data.label
    label_entries(entries, label)
    protocols: dict[str, Json] = {config.split.strategy: {}}
    notes = []
    for strategy, fact, folds in _ACROSS:
        if strategy in protocols:
            continue
        split = {"strategy": strategy, "folds": folds}
        coarser = label.replace(f"{{{fact}}}", "")
        for pattern in dict.fromkeys((label, coarser)):
            lacking = _lacking(entries, pattern, fact, pairs=folds == "pairs")
            if lacking is None:
                protocols[strategy] = {"split": split, "data": {"label": pattern}}
                break
        else:
            notes.append(f"{strategy} is left out: {lacking}; name it in protocol.protocols")
    return protocols, notes


def _lacking(entries: Sequence[Entry], pattern: str, fact: str, *, pairs: bool) -> str | None:
    """Return why the values of a fact can't be folds, or None."""
    try:
        labels = label_entries(entries, pattern)
    except FaultdiagError as error:
        return str(error)
    classes = _classes_by_value(entries, labels, fact)
    everywhere = classes.pop(None, set())
    if len(classes) < 2:
        values = ", ".join(map(str, classes)) or "none"
        return f"it needs two values of {fact}, the recordings selected have {values}"
    for test, tested in classes.items():
        others = [known for value, known in classes.items() if value != test]
        trainings = others if pairs else [set().union(*others)]
        untrained = next(filter(None, (tested - known - everywhere for known in trainings)), None)
        if untrained:
            return (
                f"{fact} {test} has {', '.join(sorted(untrained))}, which not every training part "
                "would have"
            )
    return None


def _classes_by_value(
    entries: Sequence[Entry], labels: Sequence[str], fact: str
) -> dict[object, set[str]]:
    """Return the classes of the recordings with each value of a fact; None is no value."""
    classes: dict[object, set[str]] = {}
    for entry, label in zip(entries, labels, strict=True):
        classes.setdefault(entry.facts.get(fact), set()).add(label)
    return classes


# A section whose override names what it is about is replaced whole: the options of another
# dataset, network, strategy or window length would not fit it.
_SUBJECTS = {"data": "dataset", "model": "name", "split": "strategy", "window": "length"}

# The transfer method of rows that adapt nothing.
_NO_TRANSFER = "none"


@dataclass(frozen=True)
class Contender:
    """A row of the table: what it is called and what it changes of the config."""

    name: str
    override: Document


def merged(base: Document, override: Document) -> Json:
    """Return a config changed by an override, key by key; lists and null replace.

    A section whose override names its subject (``data.dataset``, ``model.name``,
    ``split.strategy`` or ``window.length``) is replaced whole. Of ``transfer``, the target is, and
    options of a method go with it.

    Examples
    --------
    >>> base = {"model": {"name": "wdcnn", "attention": {"name": "eca"}}, "train": {"epochs": 9}}
    >>> merged(base, {"model": {"name": "ticnn"}, "train": {"l2": 0}})
    {'model': {'name': 'ticnn'}, 'train': {'epochs': 9, 'l2': 0}}
    """
    result = deepcopy(dict(base))
    for key, value in override.items():
        whole = isinstance(value, Mapping) and _SUBJECTS.get(key) in value
        below = None if whole else result.get(key)
        if key == "transfer" and isinstance(value, Mapping) and isinstance(below, Mapping):
            below = _fitting(below, value)
        result[key] = _laid_over(below, value)
    return result


def _fitting(below: Document, above: Document) -> Json:
    """Return the entries of a transfer section that also fit another method."""
    before = below.get("method", TransferConfig.model_fields["method"].default)
    other = above.get("method", before) != before
    return {
        key: value
        for key, value in below.items()
        if not (key == "target" and key in above)
        and not (other and key not in TransferConfig.model_fields)
    }


def _laid_over(below: object, above: object) -> object:
    if not (isinstance(below, Mapping) and isinstance(above, Mapping)):
        return deepcopy(above)
    result = dict(below)
    for key, value in above.items():
        result[key] = _laid_over(below.get(key), value)
    return result


def contenders(
    base: Config,
    models: Mapping[str, Document] | None,
    attention: Sequence[object] | None,
    representations: Sequence[object] | None,
    transfer: Sequence[object] | None = None,
) -> list[Contender]:
    """Return every model with every attention, representation and transfer method.

    A classical baseline has no attention and no representation, and adapts to nothing. A model
    whose override states its own attention or representation keeps it.
    """
    rows = []
    for name, override in (models or {base.model.name: {}}).items():
        section = override.get("model")
        own = section if isinstance(section, Mapping) else {}
        variants, methods = [Contender(name, override)], transfer
        if own.get("name", base.model.name) in BASELINES:
            methods = None if transfer is None else [_NO_TRANSFER]
        else:
            variants = _with_slots(variants, own, attention, representations)
        rows += (
            variants
            if methods is None
            else [_to(variant, method, methods) for variant in variants for method in methods]
        )
    return rows


def _with_slots(
    rows: list[Contender],
    own: Document,
    attention: Sequence[object] | None,
    representations: Sequence[object] | None,
) -> list[Contender]:
    """Return rows with every attention and representation, where they state none of their own."""
    for key, values, word in (
        ("attention", attention, "+"),
        ("representation", representations, "on"),
    ):
        if values is not None and key not in own:
            rows = [_with(row, key, value, word, values) for row in rows for value in values]
    return rows


def _to(row: Contender, method: object, methods: Sequence[object]) -> Contender:
    """Return a row that adapts to the target by a method, a name or a mapping with options."""
    section = dict(method) if isinstance(method, Mapping) else {"method": method}
    named = [{**m, "name": m["method"]} if isinstance(m, Mapping) else m for m in methods]
    this = named[list(methods).index(method)]
    name = row.name if method == _NO_TRANSFER else f"{row.name}, {_label(this, named)}"
    before = row.override.get("transfer", {})
    return Contender(name, {**deepcopy(dict(row.override)), "transfer": {**before, **section}})


def _with(
    row: Contender, key: str, value: object, word: str, values: Sequence[object]
) -> Contender:
    plain = value is None or value == "raw"
    name = row.name if plain else f"{row.name} {word} {_label(value, values)}"
    override = deepcopy(dict(row.override))
    override["model"] = {**override.get("model", {}), key: value}
    return Contender(name, override)


def _label(value: object, values: Sequence[object]) -> str:
    """Name a value of an axis; with its options where the name alone is not enough."""
    short = _axis_names(value)
    if [_axis_names(other) for other in values].count(short) == 1:
        return short
    items = value if isinstance(value, list) else [value]
    return ", ".join(f"{_axis_names(item)} {_options(item)}".strip() for item in items)


# What an item of an axis is called by.
_NAMES = ("name", "method")


def _axis_names(value: object) -> str:
    items = value if isinstance(value, list) else [value]
    return ", ".join(
        str(item.get("name", "?") if isinstance(item, Mapping) else item) for item in items
    )


def _options(item: object) -> str:
    options = (
        {k: v for k, v in item.items() if k not in _NAMES} if isinstance(item, Mapping) else {}
    )
    return json.dumps(options, ensure_ascii=False).replace('"', "") if options else ""


def level_key(kind: str, snr: float) -> str:
    """Return the name of a level of noise; of white noise the ratio alone.

    Examples
    --------
    >>> level_key("white", -4.0), level_key("pink", -4.0)
    ('-4.0', 'pink -4.0')
    """
    return str(snr) if kind == "white" else f"{kind} {snr}"


def kind_and_snr(level: str) -> tuple[str, float]:
    """Return kind and ratio in dB of a level of noise, as `level_key` names it."""
    kind, _, snr = level.rpartition(" ")
    return kind or "white", float(snr)


@dataclass(frozen=True)
class Cell:
    """One training: a model, a protocol, one of its folds, a seed; and what it is tested in.

    ``noise`` are ratios in dB, each tested with every one of ``kinds``.
    """

    model: str
    protocol: str
    fold: str
    seed: int
    config: Config
    noise: tuple[float, ...] = ()
    kinds: tuple[str, ...] = ("white",)

    @property
    def levels(self) -> tuple[str, ...]:
        """Keys of the figures in noise: every kind at every ratio."""
        return tuple(level_key(kind, snr) for kind in self.kinds for snr in self.noise)

    def __str__(self) -> str:
        """Return its name in messages."""
        fold = f" {self.fold}" if self.fold else ""
        return f"{self.model}, {self.protocol}{fold}, seed {self.seed}"


@dataclass(frozen=True)
class Plan:
    """All cells to train, and notes on them.

    Parameters
    ----------
    base
        The config without its section ``protocol``.
    models, protocols, seeds, noise
        The axes of the table, in its order.
    splits
        The split of each protocol before it is cut into folds.
    cells
        Seed by seed, so that a run cut short has every model equally often.
    notes
        What was left out, and why.
    """

    base: Config
    models: tuple[str, ...]
    protocols: tuple[str, ...]
    seeds: tuple[int, ...]
    noise: tuple[float, ...]
    splits: Mapping[str, Document]
    cells: tuple[Cell, ...]
    notes: tuple[str, ...]
    reference: str = ""


def read_plan(path: Path, overrides: Sequence[str] = (), seeds: int | None = None) -> Plan:
    """Read a config and plan its comparison; nothing is trained and no network built.

    Parameters
    ----------
    path, overrides
        The YAML file and ``a.b=value`` overrides of it.
    seeds
        How many seeds, in place of ``protocol.seeds``.

    Raises
    ------
    FaultdiagError
        For whatever is wrong with the config, its section ``protocol`` or any config that the
        section makes of it, all in the one message.
    """
    data = read_config(path, overrides)
    base, problems = try_config(data)
    section, more = read_section(data.pop(PROTOCOL, None))
    if base is None or section is None:
        raise FaultdiagError(listed(str(path), problems + more))
    protocols, notes = _protocols(section, base)
    axes = (section.models, section.attention, section.representations, section.transfer)
    rows = contenders(base, *axes)
    rows_of, configs = _checked(path, data, section, protocols, rows)
    numbers = section.seeds_from(base.seed, seeds)
    folds, problems = _folds(configs, numbers)
    _refuse(path, problems)
    noisy = [next(iter(rows_of))] if section.noise_on is None else section.noise_on
    cells, problems = _only(_cells(section, noisy, folds), section.only)
    _refuse(path, problems)
    models, kept = {cell.model for cell in cells}, {cell.protocol for cell in cells}
    return Plan(
        base=base,
        models=tuple(row.name for row in rows if row.name in models),
        protocols=tuple(protocol for protocol in rows_of if protocol in kept),
        seeds=tuple(numbers),
        noise=tuple(section.noise) if noisy else (),
        splits={p: _split_of(configs[own[0].name, p]) for p, own in rows_of.items()},
        cells=tuple(cells),
        notes=(*notes, *_undivided_notes(folds)),
        reference=section.reference or rows[0].name,
    )


def _protocols(section: Section, base: Config) -> tuple[Mapping[str, Document], list[str]]:
    """Return the protocols by name, and a note where the config names none."""
    if section.protocols is not None:
        return section.protocols, []
    protocols, notes = default_protocols(base)
    return protocols, [f"no protocol.protocols in the config, so: {', '.join(protocols)}", *notes]


def _checked(
    path: Path,
    data: Document,
    section: Section,
    protocols: Mapping[str, Document],
    rows: Sequence[Contender],
) -> tuple[dict[str, list[Contender]], dict[tuple[str, str], Config]]:
    """Return the rows of each protocol, and the config of each row on it.

    Raises
    ------
    FaultdiagError
        With everything that is wrong with them.
    """
    problems = [
        *_same_names(rows),
        *_noise_problems(section, protocols),
        *_reference_problems(section, rows),
    ]
    changes, rows_of, more = _rows_of_each(protocols, rows)
    problems += more
    configs, more = _configs(data, rows_of, changes)
    problems += _override_problems(data, section.models or {}, changes) or more
    _refuse(path, problems)
    return rows_of, configs


def _cells(
    section: Section,
    noisy: Collection[str],
    folds: Mapping[tuple[int, str, str], Sequence[Fold]],
) -> list[Cell]:
    """Return a cell for each fold, seed by seed."""
    kinds, levels = tuple(section.noise_kinds), tuple(section.noise)
    return [
        Cell(
            model,
            protocol,
            fold.name,
            seed,
            fold.config,
            levels if protocol in noisy else (),
            kinds,
        )
        for (seed, model, protocol), every_fold in folds.items()
        for fold in every_fold
    ]


def _split_of(config: Config) -> Json:
    return config.split.model_dump(mode="json")


def _only(cells: Sequence[Cell], names: Sequence[str] | None) -> tuple[list[Cell], list[str]]:
    """Return the cells with these protocols, rows and folds, and what is wrong with the names.

    Where no name is of an axis, everything on that axis stays.
    """
    if not names:
        return list(cells), []
    axes = [set(axis) for axis in zip(*map(_place, cells), strict=True)]
    known = list(dict.fromkeys(filter(None, chain.from_iterable(map(sorted, axes)))))
    problems = _unknown_names(f"{PROTOCOL}.only", "name", names, known)
    chosen = [axis & set(names) or axis for axis in axes]
    left = [cell for cell in cells if all(map(contains, chosen, _place(cell)))]
    if not left and not problems:
        problems = [f"{PROTOCOL}.only: no cell is of all of {', '.join(names)}; leave one out"]
    return left, problems


def _place(cell: Cell) -> tuple[str, str, str]:
    return cell.protocol, cell.model, cell.fold


def _unknown_names(place: str, kind: str, names: Iterable[str], known: Sequence[str]) -> list[str]:
    """Return a problem for each name that is not known."""
    return [
        f"{place}: unknown {kind} '{name}'{did_you_mean(name, known)}; known: {', '.join(known)}"
        for name in names
        if name not in known
    ]


def _undivided_notes(folds: Mapping[tuple[int, str, str], Sequence[Fold]]) -> list[str]:
    """Return a note per protocol with folds that have no training groups to hold out."""
    facts = {
        protocol: fold.undivided
        for (_, _, protocol), rows in folds.items()
        for fold in rows
        if fold.undivided
    }
    return [
        f"{protocol}: validation is cut in time from the training recordings, because a fold "
        f"trains on one {fact} only; it can't say how well a network does on another {fact}"
        for protocol, fact in facts.items()
    ]


def _same_names(rows: Sequence[Contender]) -> list[str]:
    names = [row.name for row in rows]
    twice = dict.fromkeys(name for name in names if names.count(name) > 1)
    return [f"{PROTOCOL}.models: two rows would be called '{n}'; rename one" for n in twice]


def _reference_problems(section: Section, rows: Sequence[Contender]) -> list[str]:
    names = [row.name for row in rows]
    if section.reference is None or section.reference in names:
        return []
    return [
        f"{PROTOCOL}.reference: unknown model '{section.reference}'"
        f"{did_you_mean(section.reference, names)}; known: {', '.join(names)}"
    ]


def _noise_problems(section: Section, protocols: Document) -> list[str]:
    return [
        f"{PROTOCOL}.noise_on: unknown protocol '{name}'{did_you_mean(name, protocols)}; known: "
        f"{', '.join(protocols)}"
        for name in section.noise_on or ()
        if name not in protocols
    ]


def _refuse(path: Path, problems: Sequence[str]) -> None:
    if problems:
        raise FaultdiagError(listed(str(path), list(dict.fromkeys(problems))))


def _override_problems(
    data: Document,
    models: Mapping[str, Document],
    protocols: Mapping[str, Document],
) -> list[str]:
    """Return the problem of each override alone, by its place in the config."""
    return [
        f"{PROTOCOL}.{kind}.{name}: {problem}"
        for kind, changes in (("models", models), ("protocols", protocols))
        for name, change in changes.items()
        for problem in try_config(merged(data, change))[1]
    ]


def _rows_of_each(
    protocols: Mapping[str, Document], rows: Sequence[Contender]
) -> tuple[dict[str, Json], dict[str, list[Contender]], list[str]]:
    """Return what each protocol changes, the rows that it compares, and what is wrong with these.

    Those are the rows under its ``models``, all where it names none.
    """
    known = [row.name for row in rows]
    changes: dict[str, Json] = {}
    chosen: dict[str, list[Contender]] = {}
    problems: list[str] = []
    for protocol, change in protocols.items():
        names = change.get("models") or known
        place = f"{PROTOCOL}.protocols.{protocol}.models"
        problems += _unknown_names(place, "row", names, known)
        changes[protocol] = {key: value for key, value in change.items() if key != "models"}
        chosen[protocol] = [row for row in rows if row.name in names]
    return changes, chosen, problems


def _configs(
    data: Document,
    rows: Mapping[str, Sequence[Contender]],
    protocols: Mapping[str, Document],
) -> tuple[dict[tuple[str, str], Config], list[str]]:
    """Return the config of each model on each protocol, and what is wrong with the others."""
    configs, problems = {}, []
    for protocol, change in protocols.items():
        for row in rows[protocol]:
            config, config_problems = try_config(merged(merged(data, change), row.override))
            if config is not None:
                configs[row.name, protocol] = config
            problems += [
                f"{PROTOCOL}: {row.name} on {protocol}: {problem}" for problem in config_problems
            ]
    return configs, problems


def _folds(
    configs: Mapping[tuple[str, str], Config], seeds: Sequence[int]
) -> tuple[dict[tuple[int, str, str], list[Fold]], list[str]]:
    """Return the folds of each seed, model and protocol, and what keeps some from having any."""
    folds, problems = {}, []
    for seed in seeds:
        for (model, protocol), config in configs.items():
            try:
                # Dealt once, so that a fold is the same groups for every seed.
                folds[seed, model, protocol] = [
                    replace(fold, config=fold.config.model_copy(update={"seed": seed}))
                    for fold in expand(config, inner=True)
                ]
            except FaultdiagError as error:
                problems.append(f"{PROTOCOL}.protocols.{protocol}: {error}")
    return folds, problems
