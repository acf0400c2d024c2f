"""From a config with a section ``protocol`` to the cells that are to be trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faultdiag.config import Config, listed, read_config, try_config
from faultdiag.config.sections import PROTOCOL
from faultdiag.errors import FaultdiagError, did_you_mean
from faultdiag.preparing.folds import Fold, expand
from faultdiag.protocol.axes import Contender, contenders, merged
from faultdiag.protocol.defaults import default_protocols
from faultdiag.protocol.section import Section, read_section


@dataclass(frozen=True)
class Cell:
    """One training: a model, a protocol, one of its folds, a seed; and what it is tested in."""

    model: str
    protocol: str
    fold: str
    seed: int
    config: Config
    noise: tuple[float, ...] = ()

    def __str__(self) -> str:
        """Give what a message calls it."""
        fold = f" {self.fold}" if self.fold else ""
        return f"{self.model}, {self.protocol}{fold}, seed {self.seed}"


@dataclass(frozen=True)
class Plan:
    """Everything that is to be trained, and what is to be said of it.

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
    splits: Mapping[str, Mapping[str, Any]]
    cells: tuple[Cell, ...]
    notes: tuple[str, ...]


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
    notes: list[str] = []
    protocols = section.protocols
    if protocols is None:
        protocols, notes = default_protocols(base)
        notes = [f"no protocol.protocols in the config, so: {', '.join(protocols)}", *notes]
    rows = contenders(base, section.models, section.attention, section.representations)
    problems = [*_same_names(rows), *_noise_problems(section, protocols)]
    configs, more = _configs(data, rows, protocols)
    problems += _override_problems(data, section.models or {}, protocols) or more
    _refuse(path, problems)
    numbers = section.seeds_from(base.seed, seeds)
    noisy = [next(iter(protocols))] if section.noise_on is None else section.noise_on
    folds, problems = _folds(configs, numbers)
    _refuse(path, problems)
    cells = [
        Cell(model, protocol, fold.name, seed, fold.config, levels)
        for (seed, model, protocol), found in folds.items()
        for levels in [tuple(section.noise) if protocol in noisy else ()]
        for fold in found
    ]
    return Plan(
        base=base,
        models=tuple(row.name for row in rows),
        protocols=tuple(protocols),
        seeds=tuple(numbers),
        noise=tuple(section.noise) if noisy else (),
        splits={p: configs[rows[0].name, p].split.model_dump(mode="json") for p in protocols},
        cells=tuple(cells),
        notes=tuple(notes),
    )


def _same_names(rows: Sequence[Contender]) -> list[str]:
    names = [row.name for row in rows]
    twice = dict.fromkeys(name for name in names if names.count(name) > 1)
    return [f"{PROTOCOL}.models: two rows would be called '{n}'; rename one" for n in twice]


def _noise_problems(section: Section, protocols: Mapping[str, Any]) -> list[str]:
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
    data: Mapping[str, Any],
    models: Mapping[str, Mapping[str, Any]],
    protocols: Mapping[str, Mapping[str, Any]],
) -> list[str]:
    """Give what is wrong with each override alone, by its place in the config."""
    return [
        f"{PROTOCOL}.{kind}.{name}: {problem}"
        for kind, changes in (("models", models), ("protocols", protocols))
        for name, change in changes.items()
        for problem in try_config(merged(data, change))[1]
    ]


def _configs(
    data: Mapping[str, Any],
    rows: Sequence[Contender],
    protocols: Mapping[str, Mapping[str, Any]],
) -> tuple[dict[tuple[str, str], Config], list[str]]:
    """Give the config of each model on each protocol, and what is wrong with the others."""
    configs, problems = {}, []
    for protocol, change in protocols.items():
        for row in rows:
            config, found = try_config(merged(merged(data, change), row.override))
            if config is not None:
                configs[row.name, protocol] = config
            problems += [f"{PROTOCOL}: {row.name} on {protocol}: {problem}" for problem in found]
    return configs, problems


def _folds(
    configs: Mapping[tuple[str, str], Config], seeds: Sequence[int]
) -> tuple[dict[tuple[int, str, str], list[Fold]], list[str]]:
    """Give the folds of each seed, model and protocol, and what keeps some from having any."""
    folds, problems = {}, []
    for seed in seeds:
        for (model, protocol), config in configs.items():
            try:
                # Dealt once, so that a fold is the same groups for every seed.
                folds[seed, model, protocol] = [
                    Fold(fold.name, fold.config.model_copy(update={"seed": seed}))
                    for fold in expand(config)
                ]
            except FaultdiagError as error:
                problems.append(f"{PROTOCOL}.protocols.{protocol}: {error}")
    return folds, problems
