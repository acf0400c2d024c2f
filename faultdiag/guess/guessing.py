"""From a folder to a config that trains: everything guessed, and why."""

import glob
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from faultdiag import yaml_file
from faultdiag.config import parse_config
from faultdiag.datasets import DATASETS, Entry
from faultdiag.datasets.listing import some
from faultdiag.errors import FaultdiagError
from faultdiag.files import write_text
from faultdiag.guess.alternatives import split_comment
from faultdiag.guess.config_text import Setting, config_text
from faultdiag.guess.signals import Read, Signals, look_into
from faultdiag.guess.sizes import Sizes, guess_sizes
from faultdiag.guess.source import Source, find_source
from faultdiag.guess.words import is_healthy
from faultdiag.preparing.selecting import label_entries

# Facts of a manifest without a column `label` that may be the class.
_CLASSES = ("class", "fault", "state", "condition", "code")
_BATCH = 32
_STEPS = 1500


@dataclass(frozen=True, slots=True)
class Guess:
    """A config as commented YAML, and the same reasons as text for a terminal."""

    yaml: str
    explanation: str


@dataclass(frozen=True, slots=True)
class _Labelled:
    """The recordings of a source with their classes, and a look into some of them."""

    source: Source
    entries: list[Entry]
    labels: list[str]
    signals: Signals

    @property
    def read(self) -> list[Read]:
        return self.signals.read

    @property
    def classes(self) -> Counter[str]:
        return Counter(self.labels)


def guess_config(root: Path, *, sampling_rate: float | None = None) -> Guess:
    """Give a config for the recordings in a folder, or listed in a manifest.

    Parameters
    ----------
    sampling_rate
        Hz, for recordings of which nothing states it.

    Raises
    ------
    FaultdiagError
        If there are no recordings, or nothing tells their classes, rate or channels.
    """
    source = _with_rate(find_source(root), sampling_rate)
    found = _look(source)
    rate = _rate(found)
    speeds = [row.rpm for row in found.read if row.rpm is not None]
    lengths: dict[str, list[float]] = {}
    for row in found.read:
        samples = row.samples * rate / (row.sampling_rate or rate)
        lengths.setdefault(row.label, []).append(samples)
    sizes = guess_sizes(lengths, found.classes, rate, min(speeds, default=None))
    sections = {
        "": [Setting("seed", 0)],
        "data": _data(found, rate),
        "window": _window(sizes),
        **_split(found, sizes),
        **_training(found, sizes, lengths),
    }
    text = config_text(_head(root, found), sections)
    parse_config(yaml_file.parse(text, "the config guessed"), "the config guessed")
    return Guess(text, _explanation(root, found, sections))


def write_guess(root: Path, out: Path, *, sampling_rate: float | None = None) -> Guess:
    """Write the config of `guess_config` to a new file and give the guess.

    Raises
    ------
    FaultdiagError
        As `guess_config`, or if the file exists or can't be written.
    """
    if out.exists():
        raise FaultdiagError(f"{out} exists; give another file with --out")
    guess = guess_config(root, sampling_rate=sampling_rate)
    write_text(out, guess.yaml)
    return guess


def init_from(
    name: str | None, root: Path | None, out: Path | None, sampling_rate: float | None
) -> str:
    """Do what `faultdiag init --from` asks for and give what there is to say.

    Raises
    ------
    FaultdiagError
        As `write_guess`, or if a starter is named too, no folder is, or the rate is none.
    """
    if root is None:
        raise FaultdiagError("--sampling-rate is that of recordings; name them with --from")
    if name is not None:
        raise FaultdiagError(f"both the starter {name} and --from {root} are given; give one")
    if sampling_rate is not None and not 0 < sampling_rate < math.inf:
        raise FaultdiagError(f"--sampling-rate is {sampling_rate:g}; give a positive number of Hz")
    path = out or Path(f"{root.resolve().stem or 'recordings'}.yaml")
    guess = write_guess(root, path, sampling_rate=sampling_rate)
    return f"{guess.explanation}\nwrote {path}; next: faultdiag train --config {path}"


def _with_rate(source: Source, sampling_rate: float | None) -> Source:
    if sampling_rate is None or "recorded_at" not in DATASETS.options(source.dataset):
        return source
    return replace(source, options={**source.options, "recorded_at": _plain(sampling_rate)})


def _plain(number: float) -> float:
    """Give a whole number without a point."""
    return int(number) if float(number).is_integer() else number


def _look(source: Source) -> _Labelled:
    """Read a sample of the recordings; leave out those of a folder that can't be used."""
    dataset = DATASETS.build(source.dataset, source.root, **source.options)
    entries = dataset.entries(source.select).entries
    label = source.label or dataset.label
    known = dataset.facts
    if source.dataset == "manifest" and "label" not in known:
        label = next((f"{{{name}}}" for name in _CLASSES if name in known), label)
    labels = label_entries(entries, label)
    signals = look_into(entries, labels)
    broken = [entry for entry in entries if entry.name in signals.broken]
    if broken and (source.dataset != "folder" or 2 * len(broken) > len(entries)):
        raise FaultdiagError("\n".join(list(signals.broken.values())[:5]))
    if broken:
        paths = [glob.escape(entry.path.relative_to(source.root).as_posix()) for entry in broken]
        source = replace(source, options={**source.options, "exclude": paths})
        entries = [entry for entry in entries if entry.name not in signals.broken]
        labels = label_entries(entries, label)
    return _Labelled(replace(source, label=label), entries, labels, signals)


def _rate(found: _Labelled) -> float:
    unknown = [row.name for row in found.read if row.sampling_rate is None]
    if unknown:
        raise FaultdiagError(
            f"nothing states the sampling rate of {len(unknown)} of the {len(found.read)} "
            f"recordings looked into: {some(unknown)}; give it with --sampling-rate HZ"
        )
    return min(row.sampling_rate for row in found.read if row.sampling_rate is not None)


def _data(found: _Labelled, rate: float) -> list[Setting]:
    source, signals = found.source, found.signals
    healthy = sorted(
        {
            label
            for label, entry in zip(found.labels, found.entries, strict=True)
            if entry.facts.get("fault") == "normal" or is_healthy(label)
        }
    )
    settings = [
        Setting("dataset", source.dataset, source.reason),
        Setting("root", str(source.root)),
        *_options(source, signals),
        Setting("channels", list(signals.channels), signals.reason),
        Setting("sampling_rate", _plain(rate), f"Hz; {_rates(found.read, rate)}"),
    ]
    if source.select:
        settings.append(Setting("select", source.select, source.select_reason))
    classes = ", ".join(f"{name} ({count})" for name, count in sorted(found.classes.items()))
    why = f"{source.label_reason}; " if source.label_reason else ""
    why += f"classes, and how many recordings each has: {classes}"
    unhealthy = "no class is called healthy or normal: name it here, if one is"
    return [
        *settings,
        Setting("label", source.label, why),
        Setting(
            "healthy", healthy, "what false alarms are counted against" if healthy else unhealthy
        ),
    ]


def _options(source: Source, signals: Signals) -> list[Setting]:
    reasons = {
        "pattern": "what the parts of a file's name are; 007 stays text, 900 is a number",
        "recorded_at": "Hz, where a file states no rate: as given with --sampling-rate",
        "exclude": "can't be used: " + "; ".join(signals.broken.values()),
        "file": "the list of recordings",
    }
    return [Setting(name, value, reasons[name]) for name, value in source.options.items()]


def _rates(read: Sequence[Read], rate: float) -> str:
    count = Counter(row.sampling_rate for row in read)
    if len(count) == 1:
        return "all recordings that were looked into have it"
    listed = ", ".join(f"{hz:g} Hz ({n})" for hz, n in sorted(count.items()) if hz is not None)
    return (
        f"the lowest of {listed}, to which the others are resampled: above {rate / 2:g} Hz the "
        "slowest hold nothing"
    )


def _window(sizes: Sizes) -> list[Setting]:
    return [
        Setting("length", sizes.length, f"samples; {sizes.reasons['length']}"),
        Setting("stride", sizes.stride, sizes.reasons["stride"]),
    ]


def _split(found: _Labelled, sizes: Sizes) -> dict[str, list[Setting]]:
    comment = sizes.reasons["split"]
    if sizes.split["strategy"] == "within_recording":
        facts = [entry.facts for entry in found.entries]
        comment = f"{split_comment(found.labels, facts)} Here {comment}."
    first, *others = (Setting(name, value) for name, value in sizes.split.items())
    return {"split": [replace(first, comment=comment), *others]}


def _training(
    found: _Labelled, sizes: Sizes, lengths: dict[str, list[float]]
) -> dict[str, list[Setting]]:
    share = sizes.split.get("fractions", [0.6])[0]
    samples = sum(
        sum(rows) / len(rows) * found.classes[label] * share for label, rows in lengths.items()
    )
    batch = 128 if samples / sizes.stride > 100 * _BATCH else _BATCH
    steps = max(samples / sizes.stride / batch, 1)
    epochs = min(max(20, round(_STEPS / steps)), 60)
    return {
        "model": [
            Setting("name", "wdcnn", "`faultdiag models` lists the others"),
            Setting("attention", {"name": "eca", "after": [2], "residual": True}),
        ],
        "train": [
            Setting("epochs", epochs, f"about {steps:.0f} steps each"),
            Setting("batch_size", batch),
        ],
    }


def _head(root: Path, found: _Labelled) -> list[str]:
    return [
        f"{len(found.entries)} recordings of {len(found.classes)} classes in {root}.",
        f"Guessed by `faultdiag init --from`, which read {len(found.read)} of them: the comments "
        "say what each setting rests on.",
    ]


def _explanation(root: Path, found: _Labelled, sections: dict[str, list[Setting]]) -> str:
    rows = [
        (f"{section}.{setting.name}".lstrip("."), setting)
        for section, settings in sections.items()
        for setting in settings
        if setting.comment
    ]
    lines = [f"{name} = {_shown(setting.value)}: {setting.comment}" for name, setting in rows]
    return "\n".join([_head(root, found)[0], *lines])


def _shown(value: Any) -> str:
    return yaml_file.dump_flow({"it": value}).strip().removeprefix("{it: ").removesuffix("}")
