"""Guess a config from a folder of recordings."""

import glob
import math
import textwrap
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from shlex import quote
from typing import Any

from faultdiag.config.schema import parse_config
from faultdiag.datasets import DATASETS, cwru
from faultdiag.datasets.base import Dataset, Entry, find_recordings, sha256, some
from faultdiag.datasets.cwru import Cwru
from faultdiag.datasets.identify import cwru_number, published_sets
from faultdiag.datasets.manifest import NAMES
from faultdiag.datasets.manifest import SUFFIXES as MANIFESTS
from faultdiag.datasets.published import PublishedSet
from faultdiag.datasets.windows import LEAK, chosen_pair, pairs_of
from faultdiag.documents import Document, Json
from faultdiag.errors import FaultdiagError, counted
from faultdiag.guess.choices import (
    TIED_SECONDS,
    Sizes,
    choose_network,
    guess_sizes,
    names_parts,
    require_trainable,
)
from faultdiag.guess.labels import guess_own_labels, own_split
from faultdiag.guess.signals import RecordingFacts, Signals, look_into, split_comment
from faultdiag.guess.states import ONE_NAME, alike, is_healthy
from faultdiag.preparing.recordings import label_entries
from faultdiag.readers.read import list_variables
from faultdiag.signal.resampling import Resampler, resampling_ratio
from faultdiag.simulation.mark import MARK, simulated_files
from faultdiag.splits.within import PARTS, SplitItem
from faultdiag.system import files
from faultdiag.system.files import write_text
from faultdiag.system.locks import own_file

# Most files that are opened to recognise a published set.
_MOST_OPENED = 24
_MOST_MANIFESTS = 50
# Facts of a manifest without a column `label` that may be the class.
_CLASSES = ("class", "fault", "state", "condition", "code")
_BATCH = 32
_STEPS = 1500


@dataclass(frozen=True, slots=True)
class Source:
    """A dataset with its root, its options and the recordings to take, and why.

    ``label`` is empty where the dataset's own is meant.
    """

    dataset: str
    root: Path
    reason: str
    options: Json = field(default_factory=dict)
    select: dict[str, list[object]] = field(default_factory=dict)
    select_reason: str = ""
    label: str = ""
    label_reason: str = ""
    split: Json = field(default_factory=dict)


def find_source(root: Path) -> Source:
    """Return the most likely source for a folder or a manifest.

    Raises
    ------
    FaultdiagError
        If there are no recordings, or nothing tells two classes.
    """
    if stated := _stated_source(root):
        return stated
    if root.is_file() and pairs_of(root):
        return _windows(root)
    paths = find_recordings(root)
    if len(paths) <= _MOST_OF_WINDOWS and _are_windows(root, paths):
        return _windows(root)
    return _published(root, paths) or _own(root, paths)


def _stated_source(root: Path) -> Source | None:
    """Return the source of a manifest or of marked simulated recordings, or None."""
    if root.is_file() and root.suffix.lower() in MANIFESTS:
        return Source("manifest", root, "it is a list of recordings")
    if root.is_dir() and simulated_files(root) is not None:
        return Source("synthetic", root, f"it holds the {MARK} of `faultdiag simulate`")
    return _manifest(root)


# Windows lie in one file, or in one each for windows and labels of train, valid and test.
_MOST_OF_WINDOWS = 8


def _are_windows(root: Path, paths: Sequence[str]) -> bool:
    files_of = {path for pair in pairs_of(root) for path in (pair.path, pair.labels_path)}
    return bool(paths) and {root / path for path in paths} <= files_of


def _windows(root: Path) -> Source:
    pair = chosen_pair(root)
    reason = f"it holds windows with a label each: {pair}"
    return Source("windows", root, reason, split={"strategy": "random_windows"})


def _manifest(root: Path) -> Source | None:
    inside = sorted(root.iterdir()) if root.is_dir() else []
    tables = [p for p in inside if p.suffix.lower() in MANIFESTS and p.is_file()]
    for path in sorted(tables, key=lambda p: p.name not in NAMES)[:_MOST_MANIFESTS]:
        usual = path.name in NAMES
        if usual or _lists_paths(path):
            options = {} if usual else {"file": path.name}
            return Source("manifest", root, f"its file {path.name} lists recordings", options)
    return None


def _lists_paths(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            header = file.readline(4096)
    except OSError:
        return False
    cells = header.replace(";", ",").replace("\t", ",").split(",")
    return path.suffix.lower() in {".csv", ".tsv"} and "path" in {
        c.strip().strip('"') for c in cells
    }


def _published(root: Path, paths: Sequence[str]) -> Source | None:
    step = -(-len(paths) // _MOST_OPENED)
    sample = list(islice(paths, 0, None, step))
    tests: dict[str, Callable[[Path], bool]] = {
        "cwru": _is_cwru,
        **{name: partial(_is_of, known) for name, known in published_sets().items()},
    }
    for name, test in tests.items():
        count = sum(test(root / path) for path in sample)
        if 2 * count > len(sample):
            reason = f"{count} of the {counted(len(sample), 'file')} looked at are recordings of it"
            reason += ", by their bytes or by their names and variables"
            return _cwru(root, reason) if name == "cwru" else Source(name, root, reason)
    return None


def _is_cwru(path: Path) -> bool:
    known = cwru.recognise(path)
    return known is not None or cwru_number(path, _variables(path)) is not None


def _is_of(known: PublishedSet, path: Path) -> bool:
    if known.recognise(path) is not None:
        return True
    stem = PurePosixPath(path.name).stem
    if not known.variables or known.by_name(stem) is None:
        return False
    return known.variables <= set(_variables(path))


def _variables(path: Path) -> list[str]:
    try:
        return [variable.name for variable in list_variables(path)]
    except FaultdiagError:
        return []


def _cwru(root: Path, reason: str) -> Source:
    """Return the recordings of one end at one rate, with the sizes that every fault has."""
    rows = [entry.facts for entry in Cwru(root).entries({}).entries]
    groups = Counter(row["group"] for row in rows if row["group"] != "normal")
    group = groups.most_common(1)[0][0] if groups else "normal"
    faulty = [row for row in rows if row["group"] == group != "normal"]
    healthy = ["normal"] if groups.total() < len(rows) else []
    select: dict[str, list[object]] = {
        "group": [*healthy, group],
        "size": [None, *_sizes(faulty)],
    }
    if any(row["clock"] == 6 for row in faulty):
        select["clock"] = [None, 6]
    why = (
        f"{group} is the largest group of faults here; with the healthy recordings, and the "
        "sizes that every fault has"
    )
    return Source("cwru", root, reason, select=select, select_reason=why)


def _sizes(rows: Sequence[Document]) -> list[str]:
    faults = {row["fault"] for row in rows}
    sizes = sorted({row["size"] for row in rows})
    having = {size: {row["fault"] for row in rows if row["size"] == size} for size in sizes}
    return [size for size in sizes if having[size] == faults] or sizes


def _own(root: Path, paths: Sequence[str]) -> Source:
    guess = guess_own_labels(root, paths)
    reason = f"{counted(len(paths), 'recording')} of no published set that is known here"
    return Source(
        "folder",
        root,
        reason,
        options=guess.options,
        label=guess.label,
        label_reason="; ".join(guess.reasons),
        split=own_split(paths, guess.options),
    )


_WIDTH = 98


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, and in a comment why it is what it is."""

    name: str
    value: object
    comment: str = ""


def config_text(head: Sequence[str], sections: Mapping[str, Sequence[Setting]]) -> str:
    """Return YAML with the sections in order; the empty name holds settings of no section.

    Examples
    --------
    >>> print(config_text(["Mine."], {"window": [Setting("length", 64, "one turn")]}))
    # Mine.
    window:
      # one turn
      length: 64
    <BLANKLINE>
    """
    lines = [line for text in head for line in _comment(text, "")]
    for section, settings in sections.items():
        indent = "  " if section else ""
        lines += [f"{section}:"] if section else []
        for setting in settings:
            lines += _comment(setting.comment, indent)
            lines.append(f"{indent}{_pair(setting.name, setting.value)}")
    return "\n".join(lines) + "\n"


def _comment(text: str, indent: str) -> list[str]:
    # A file's name may hold anything; a comment ends with its line.
    plain = "".join(c if c.isprintable() else "?" for c in text)
    return textwrap.wrap(
        plain,
        _WIDTH,
        initial_indent=f"{indent}# ",
        subsequent_indent=f"{indent}# ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _pair(name: str, value: object) -> str:
    return files.dump_flow({name: value}).strip().removeprefix("{").removesuffix("}")


@dataclass(frozen=True, slots=True)
class Guess:
    """A config as commented YAML, and the same reasons as text for a terminal."""

    yaml: str
    explanation: str


@dataclass(frozen=True, slots=True)
class _LabelledSource:
    """The recordings of a source with their classes, and a look into some of them."""

    source: Source
    entries: list[Entry]
    labels: list[str]
    signals: Signals
    notes: list[str]

    @property
    def read(self) -> list[RecordingFacts]:
        return self.signals.read

    @property
    def classes(self) -> Counter[str]:
        return Counter(self.labels)

    @property
    def names_parts(self) -> bool:
        return names_parts(self.classes, self.entries, [row.rpm for row in self.read])


def guess_config(
    root: Path,
    *,
    sampling_rate: float | None = None,
    override_rate: bool = False,
    channels: Sequence[str] = (),
) -> Guess:
    """Return a config for the recordings in a folder, or listed in a manifest.

    Parameters
    ----------
    sampling_rate
        Hz, for recordings whose rate nothing else states.
    override_rate
        Whether it wins over recordings that state another, which is an error otherwise.
    channels
        The channels to train on, where the recordings leave that open.

    Raises
    ------
    FaultdiagError
        If there are no recordings, or nothing tells their classes, rate or channels, or a file
        or a catalogue contradicts the rate.
    """
    source = _with_rate(find_source(root), sampling_rate, override_rate)
    labelled = _look(source, channels)
    rate = _rate(labelled)
    samples = _samples(labelled, rate)
    lengths: dict[str, list[float]] = {}
    for row, count in zip(labelled.read, samples, strict=True):
        lengths.setdefault(row.label, []).append(count)
    sizes = _sizes_for(labelled, rate, samples, lengths)
    sections = {
        "": [Setting("seed", 0)],
        "data": _data(labelled, rate),
        "window": _window(sizes),
        **_split(labelled, sizes),
        **_training(labelled, sizes, lengths, rate),
    }
    text = config_text(_head(root, labelled), sections)
    parse_config(files.parse(text, "the config guessed"), "the config guessed")
    return Guess(text, _explanation(root, labelled, sections))


def _samples(labelled: _LabelledSource, rate: float) -> list[int]:
    """Return how many samples each recording has after resampling to the config's rate.

    Raises
    ------
    FaultdiagError
        If two rates are too far apart for that.
    """
    pairs = [(row.sampling_rate or rate, row.samples) for row in labelled.read]
    return [Resampler(*resampling_ratio(own, rate), count).resampled for own, count in pairs]


def _sizes_for(
    labelled: _LabelledSource,
    rate: float,
    samples: Sequence[int],
    lengths: Mapping[str, Sequence[float]],
) -> Sizes:
    """Return sizes whose split was tried out on the recordings."""
    source = labelled.source
    if source.dataset == "windows":
        return _sizes_of_windows(source)
    shortest = labelled.read[samples.index(min(samples))].name
    sizes = _guess_sizes(labelled, rate, lengths, shortest)
    # Only where whole recordings are held out do copies of one matter.
    whole = bool(source.split or sizes.others)
    entries = {entry.name: entry for entry in labelled.entries}
    items = [
        SplitItem(row.name, count, row.label, entry.facts, sha256(entry.path) if whole else "")
        for row, count in zip(labelled.read, samples, strict=True)
        if (entry := entries.get(row.name))
    ]
    return require_trainable(items, sizes, source.split or sizes.split)


def _guess_sizes(
    found: _LabelledSource, rate: float, lengths: Mapping[str, Sequence[float]], shortest: str
) -> Sizes:
    """Return the sizes for the slowest shaft; longer windows for parts that are named, if any."""
    slowest = min((row.rpm for row in found.read if row.rpm is not None), default=None)
    own_parts = set(found.source.split) & set(PARTS)
    guess = partial(
        guess_sizes, lengths, found.classes, rate, slowest, own_parts=own_parts, shortest=shortest
    )
    sizes = guess()
    for seconds in TIED_SECONDS if found.names_parts else ():
        longer = guess(seconds=seconds)
        if longer.length == round(seconds * rate):
            return longer
    return sizes


def write_guess(
    root: Path,
    out: Path,
    **stated: Any,
) -> Guess:
    """Write the config of `guess_config`, which takes the options, to a new file.

    Raises
    ------
    FaultdiagError
        As `guess_config`, or if the file exists, can't be written, or is being written.
    """
    with own_file(out, "give another file with --out"):
        if out.exists():
            raise FaultdiagError(f"{out} exists; give another file with --out")
        guess = guess_config(root, **stated)
        write_text(out, guess.yaml)
    return guess


def init_from(
    name: str | None,
    root: Path | None,
    out: Path | None,
    sampling_rate: float | None,
    **stated: Any,
) -> str:
    """Write the config for `faultdiag init --from` and return the text about it.

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
    guess = write_guess(root, path, sampling_rate=sampling_rate, **stated)
    quoted = quote(str(path))
    return (
        f"{guess.explanation}\nwrote {path}; next: faultdiag check {quoted}, then "
        f"faultdiag train {quoted}"
    )


def _with_rate(source: Source, sampling_rate: float | None, override_rate: bool) -> Source:
    if sampling_rate is None or "recorded_at" not in DATASETS.options(source.dataset):
        return source
    stated = {"recorded_at": _plain(sampling_rate)}
    override = {"override_rate": True} if override_rate else {}
    return replace(source, options={**source.options, **stated, **override})


def _plain(number: float) -> float:
    """Return a whole number without a point."""
    return int(number) if float(number).is_integer() else number


# Datasets of the user's own recordings, whose channels nobody documents.
_OWN_DATA = frozenset({"folder", "manifest"})


def _look(source: Source, channels: Sequence[str] = ()) -> _LabelledSource:
    """Read a sample of the recordings; leave out those of a folder that can't be used."""
    dataset = DATASETS.build(source.dataset, source.root, **source.options)
    selection = dataset.entries(source.select)
    label = _label_of(source, dataset)
    labels = label_entries(selection.entries, label)
    published = source.dataset not in _OWN_DATA
    signals = look_into(selection.entries, labels, published=published, stated=channels)
    source, entries = _without_broken(replace(source, label=label), selection.entries, signals)
    return _LabelledSource(source, entries, label_entries(entries, label), signals, selection.notes)


def _label_of(source: Source, dataset: Dataset) -> str:
    """Return the pattern of the classes; of a manifest without labels, a column for them."""
    label = source.label or dataset.label
    if source.dataset != "manifest" or "label" in dataset.facts:
        return label
    return next((f"{{{name}}}" for name in _CLASSES if name in dataset.facts), label)


def _without_broken(
    source: Source, entries: Sequence[Entry], signals: Signals
) -> tuple[Source, list[Entry]]:
    """Exclude recordings that can't be used, where they are fewer than half of a folder's."""
    broken = [entry for entry in entries if entry.name in signals.broken]
    if not broken:
        return source, list(entries)
    if source.dataset != "folder" or 2 * len(broken) > len(entries):
        raise FaultdiagError("\n".join(list(signals.broken.values())[:5]))
    paths = [glob.escape(entry.path.relative_to(source.root).as_posix()) for entry in broken]
    usable = [entry for entry in entries if entry.name not in signals.broken]
    return replace(source, options={**source.options, "exclude": paths}), usable


def _rate(labelled: _LabelledSource) -> float:
    unknown = [row.name for row in labelled.read if row.sampling_rate is None]
    if unknown:
        raise FaultdiagError(
            f"nothing states the sampling rate of {len(unknown)} of the {len(labelled.read)} "
            f"recordings looked into: {some(unknown)}; give it with --sampling-rate HZ"
        )
    return min(row.sampling_rate for row in labelled.read if row.sampling_rate is not None)


def _data(labelled: _LabelledSource, rate: float) -> list[Setting]:
    """Return the settings of the section ``data``, each with its reason."""
    source, signals = labelled.source, labelled.signals
    settings = [
        Setting("dataset", source.dataset, source.reason),
        Setting("root", str(source.root)),
        *_options(source, signals),
        Setting("channels", list(signals.channels), signals.reason),
        Setting("sampling_rate", _plain(rate), f"Hz; {_rates(labelled.read, rate)}"),
    ]
    if source.select:
        settings.append(Setting("select", source.select, source.select_reason))
    return [*settings, _label_setting(labelled), _healthy_setting(labelled)]


def _label_setting(found: _LabelledSource) -> Setting:
    source = found.source
    classes = ", ".join(f"{name} ({count})" for name, count in sorted(found.classes.items()))
    why = f"{source.label_reason}; " if source.label_reason else ""
    why += f"classes, and how many recordings each has: {classes}"
    why += "".join(f"; {text}; {ONE_NAME}" for text in alike(found.classes))
    return Setting("label", source.label, why)


def _healthy_setting(found: _LabelledSource) -> Setting:
    healthy = {
        label
        for label, entry in zip(found.labels, found.entries, strict=True)
        if entry.facts.get("fault") == "normal" or is_healthy(label)
    }
    counted_against = "what false alarms are counted against"
    unhealthy = "no class is called healthy or normal: name it here, if one is"
    return Setting("healthy", sorted(healthy), counted_against if healthy else unhealthy)


def _options(source: Source, signals: Signals) -> list[Setting]:
    reasons = {
        "pattern": "what the parts of a file's name are; 007 stays text, 900 is a number",
        "recorded_at": "Hz, where a file states no rate: as given with --sampling-rate",
        "override_rate": "that rate wins over files and catalogues that state another",
        "exclude": "can't be used: " + "; ".join(signals.broken.values()),
        "file": "the list of recordings",
    }
    return [Setting(name, value, reasons[name]) for name, value in source.options.items()]


def _rates(read: Sequence[RecordingFacts], rate: float) -> str:
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


def _sizes_of_windows(source: Source) -> Sizes:
    length = chosen_pair(source.root).length
    reasons = {
        "length": f"the windows were cut so: {length} samples",
        "stride": "each window is taken as it is",
        "split": LEAK,
    }
    return Sizes(length, length, source.split, reasons)


def _split(labelled: _LabelledSource, sizes: Sizes) -> dict[str, list[Setting]]:
    comment = sizes.reasons["split"]
    if labelled.source.split and labelled.source.dataset != "windows":
        own = ", ".join(name for part in PARTS for name in labelled.source.split.get(part, ()))
        first, *others = (Setting(name, value) for name, value in labelled.source.split.items())
        text = f"the split is yours: the folders {own} stay apart"
        return {"split": [replace(first, comment=text), *others]}
    if sizes.split["strategy"] == "within_recording":
        facts = [entry.facts for entry in labelled.entries]
        comment = f"{split_comment(labelled.labels, facts)} Here {comment}."
    first, *others = (Setting(name, value) for name, value in sizes.split.items())
    return {"split": [replace(first, comment=comment), *others]}


def _training(
    labelled: _LabelledSource, sizes: Sizes, lengths: dict[str, list[float]], rate: float
) -> dict[str, list[Setting]]:
    share = sizes.split.get("fractions", [0.6])[0]
    samples = sum(
        sum(rows) / len(rows) * labelled.classes[label] * share for label, rows in lengths.items()
    )
    network = choose_network(parts=labelled.names_parts, length=sizes.length, rate=rate)
    batch = 128 if samples / sizes.stride > 100 * _BATCH else _BATCH
    steps = max(samples / sizes.stride / batch, 1)
    epochs = min(max(20, round(_STEPS / steps)), 60)
    return {
        "model": [Setting(*setting) for setting in network],
        "train": [
            Setting("epochs", epochs, f"about {steps:.0f} steps each"),
            Setting("batch_size", batch),
        ],
    }


def _head(root: Path, labelled: _LabelledSource) -> list[str]:
    return [
        f"{counted(len(labelled.entries), 'recording')} of {len(labelled.classes)} classes in "
        f"{root}.",
        f"Guessed by `faultdiag init --from`, which read {labelled.signals.whole} of them: the "
        "comments say what each setting rests on.",
        *labelled.notes,
    ]


def _explanation(root: Path, labelled: _LabelledSource, sections: dict[str, list[Setting]]) -> str:
    rows = [
        (f"{section}.{setting.name}".lstrip("."), setting)
        for section, settings in sections.items()
        for setting in settings
        if setting.comment
    ]
    lines = [f"{name} = {_shown(setting.value)}: {setting.comment}" for name, setting in rows]
    return "\n".join([_head(root, labelled)[0], *labelled.notes, *lines])


def _shown(value: object) -> str:
    return files.dump_flow({"it": value}).strip().removeprefix("{it: ").removesuffix("}")
