"""Prepare recordings: select, label, split, write signals and windows."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from faultdiag.config.schema import Config
from faultdiag.datasets import DATASETS
from faultdiag.datasets.base import Entry, Selection, sha256
from faultdiag.datasets.load import load_entry
from faultdiag.errors import FaultdiagError, counted, did_you_mean
from faultdiag.preparing.folder import (
    FORMAT,
    Prepared,
    PreparedRecording,
    SignalLayout,
    Writer,
    gather,
    new_folder,
    open_signals,
    write_document,
)
from faultdiag.preparing.integrity import DamagedError
from faultdiag.preparing.window_index import WindowIndex, open_windows, write_windows
from faultdiag.signal import normalize
from faultdiag.signal.recording import Recording
from faultdiag.signal.resampling import resample
from faultdiag.splits import file
from faultdiag.splits.duplicates import Duplicate, Fingerprints
from faultdiag.splits.within import PARTS, SEEDED, STRATEGIES, Split, SplitItem
from faultdiag.system.files import write_errors
from faultdiag.system.locks import own
from faultdiag.system.terminal import note


def taken_by_number(unnamed: Mapping[str, Sequence[str]], asked: Sequence[str]) -> list[str]:
    """Return a note about recordings whose channels have other names than in the config."""
    if not unnamed:
        return []
    names = [f"{name} ({', '.join(channels)})" for name, channels in unnamed.items()]
    return [
        f"no channel is called {' or '.join(asked)} in {counted(len(names), 'recording')}, so the "
        f"same number of theirs were taken: {_some(names)}"
    ]


def rate_notes(
    recordings: Sequence[PreparedRecording], missing: Sequence[str], rate: float
) -> list[str]:
    """Return notes about recordings that are missing, and those resampled to `rate`."""
    notes = []
    if missing:
        notes.append(
            f"{len(missing)} of the {len(missing) + len(recordings)} recordings selected are not "
            f"in the folder: {_some(missing)}"
        )
    for recorded_at in sorted({r.recorded_at for r in recordings} - {rate}):
        names = [r.name for r in recordings if r.recorded_at == recorded_at]
        empty = f", so empty above {recorded_at / 2:g} Hz" if recorded_at < rate else ""
        notes.append(f"resampled from {recorded_at:g} Hz to {rate:g} Hz{empty}: {_some(names)}")
    return notes


def left_out(recordings: Sequence[PreparedRecording], classes: Sequence[str]) -> list[str]:
    """Return a note about classes without a recording in the split."""
    lost = sorted({recording.label for recording in recordings} - set(classes))
    if not lost:
        return []
    return [f"{len(classes)} classes are left, because all of {', '.join(lost)} is left out"]


def _some(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def select_recordings(config: Config) -> Selection:
    """Return the recordings that a config selects and that are in its folder.

    Raises
    ------
    FaultdiagError
        If there are none, or a condition of ``data.select`` is invalid.
    """
    data = config.data
    return DATASETS.build(data.dataset, data.root, **data.options).entries(data.select)


def label_entries(entries: Sequence[Entry], pattern: str) -> list[str]:
    """Return the class of each recording: the pattern with its facts filled in.

    Raises
    ------
    FaultdiagError
        If the pattern names a fact that a recording lacks, or there is only one class.
    """
    labels = [_label(entry, pattern) for entry in entries]
    if len(set(labels)) < 2:
        raise FaultdiagError(
            f"data.label {pattern!r} gives all {len(entries)} recordings the one class "
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


@dataclass(frozen=True)
class Written:
    """What was written, and what was found on the way.

    Parameters
    ----------
    recordings
        The recordings in their order.
    unnamed
        The channels of recordings that name them differently than the config.
    duplicates
        Signals that are in two of the recordings.
    """

    recordings: list[PreparedRecording]
    unnamed: Mapping[str, Sequence[str]]
    duplicates: list[Duplicate]


def write_signals(
    folder: Path,
    config: Config,
    entries: Sequence[Entry],
    labels: Sequence[str],
    hashes: Sequence[str],
) -> Written:
    """Write the recordings at the config's rate, one after the other."""
    rows = list(zip(entries, labels, hashes, strict=True))
    recordings: list[PreparedRecording] = []
    unnamed: dict[str, Sequence[str]] = {}
    prints = Fingerprints()
    with (folder / "signals.npy").open("wb") as file:
        writer = Writer(file)
        for entry, label, digest in tqdm(rows, "preparing", unit="recording", disable=None):
            recording = load_entry(entry, config.data.channels)
            prints.add(recording.signal)
            if recording.channels != config.data.channels:
                unnamed[entry.name] = recording.channels
            fitted = _at_rate(recording, config.data.sampling_rate)
            recordings.append(
                PreparedRecording(
                    name=entry.name,
                    source=str(entry.path),
                    sha256=digest,
                    label=label,
                    samples=fitted.samples,
                    offset=writer.append(fitted),
                    rpm=fitted.rpm,
                    recorded_at=recording.sampling_rate or config.data.sampling_rate,
                    facts=dict(fitted.facts),
                )
            )
        writer.finish()
    return Written(recordings, unnamed, _find_duplicates(config, entries, recordings, prints))


def _find_duplicates(
    config: Config,
    entries: Sequence[Entry],
    recordings: Sequence[PreparedRecording],
    prints: Fingerprints,
) -> list[Duplicate]:
    """Return duplicate signals as recorded: resampling an excerpt changes it at its ends."""
    rate = config.data.sampling_rate
    minimum = [ceil(config.window.length * row.recorded_at / rate) for row in recordings]
    return prints.find(lambda i: load_entry(entries[i], config.data.channels).signal, minimum)


def _at_rate(recording: Recording, rate: float) -> Recording:
    if recording.sampling_rate is None or recording.sampling_rate == rate:
        return recording
    signal = resample(recording.signal, recording.sampling_rate, rate)
    return replace(recording, signal=signal, sampling_rate=rate)


def prepare(config: Config) -> Prepared:
    """Prepare the recordings of a config, or open what was prepared from the same before.

    The folder is ``<data.prepared>/<hash>``; the hash covers the bytes of every recording and
    every setting that changes the result. While another command writes it, this one waits. A
    damaged folder is set aside and prepared again, with a message on stderr.

    Raises
    ------
    FaultdiagError
        If recordings are missing, broken, too short or of an unknown rate, or the folder can't
        be written.
    """
    selection = select_recordings(config)
    entries = selection.entries
    labels = label_entries(entries, config.data.label)
    hashes = [sha256(entry.path) for entry in entries]
    identity = _identity(config, selection, labels, hashes)
    folder = config.data.prepared / identity[:16]
    _sweep(folder.parent)
    prepared = _open(folder)
    if prepared is None:
        with _owned(folder):
            prepared = _open(folder, repair=True)
            if prepared is None:
                with new_folder(folder) as temporary:
                    written = write_signals(temporary, config, entries, labels, hashes)
                    _write_rest(temporary, config, written, identity, selection)
                prepared = Prepared(folder)
    prepared.relocate([entry.path for entry in entries])
    return prepared


def find_prepared(config: Config) -> Prepared | None:
    """Open what was prepared from a config before; None where it isn't there any more.

    Raises
    ------
    FaultdiagError
        If recordings are missing, or the folder is damaged.
    """
    selection = select_recordings(config)
    labels = label_entries(selection.entries, config.data.label)
    hashes = [sha256(entry.path) for entry in selection.entries]
    folder = config.data.prepared / _identity(config, selection, labels, hashes)[:16]
    if not (folder / "prepared.json").is_file():
        return None
    prepared = Prepared(folder)
    prepared.relocate([entry.path for entry in selection.entries])
    return prepared


@contextmanager
def own_preparation(config: Config) -> Iterator[None]:
    """Own the preparation of a config while the block runs, from before anything is read.

    Raises
    ------
    HeldError
        If another command does the same preparation.
    """
    root = config.data.prepared
    settings = config.model_dump(mode="json", exclude={"model", "train"})
    settings["data"] |= {"root": str(config.data.root.resolve()), "prepared": None}
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
    if root.exists() and not os.access(root, os.W_OK):
        yield
        return
    with write_errors(root, *root.parents):
        root.mkdir(parents=True, exist_ok=True)
    with own(root, root / f".{key}.preparing.lock", "give another place with data.prepared"):
        yield


def _owned(folder: Path) -> AbstractContextManager[None]:
    """Own a folder of prepared data, after the end of another owner."""
    with write_errors(folder.parent, *folder.parents):
        folder.parent.mkdir(parents=True, exist_ok=True)
    return own(folder, _lock_of(folder), "", wait=True)


def _lock_of(folder: Path) -> Path:
    return folder.parent / f".{folder.name}.lock"


def _open(folder: Path, *, repair: bool = False) -> Prepared | None:
    """Open a prepared folder; None where there is none, or where it is damaged.

    Parameters
    ----------
    repair
        Set a damaged folder aside, where it is no longer in the way.
    """
    if not (folder / "prepared.json").is_file():
        return None
    try:
        return Prepared(folder)
    except DamagedError as error:
        if repair:
            aside = folder.with_name(f"{folder.name}.damaged")
            shutil.rmtree(aside, ignore_errors=True)
            with write_errors(folder, aside):
                folder.replace(aside)
            note(f"warning: {error}: it was moved to {aside}, and is prepared again")
        return None


def _sweep(root: Path) -> None:
    """Remove the folders that killed processes left unfinished: those that nobody owns."""
    for path in root.glob(".*.writing"):
        folder = path.with_name(path.name.removeprefix(".").removesuffix(".writing"))
        with suppress(FaultdiagError), own(folder, _lock_of(folder), ""):
            shutil.rmtree(path, ignore_errors=True)


def _identity(
    config: Config, selection: Selection, labels: Sequence[str], hashes: Sequence[str]
) -> str:
    settings: dict[str, Any] = {
        "format": FORMAT,
        "channels": config.data.channels,
        "sampling_rate": config.data.sampling_rate,
        "window": asdict(config.window.plan()),
        "split": config.split.model_dump(mode="json"),
        "seed": _seed(config),
        "normalize": config.normalize,
        "recordings": [
            [
                *(entry.name, label, digest, entry.sampling_rate, entry.rpm, dict(entry.facts)),
                *entry.channels,
            ]
            for entry, label, digest in zip(selection.entries, labels, hashes, strict=True)
        ],
        "missing": selection.missing,
        "notes": selection.notes,
    }
    if config.split.strategy == "file":
        settings["split_file"] = file.digest(config.split.options["path"])
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _write_rest(
    folder: Path,
    config: Config,
    written: Written,
    identity: str,
    selection: Selection,
) -> None:
    recordings = written.recordings
    plan = config.window.plan()
    split = _split(config, recordings)
    used = {segment.recording for part in PARTS for segment in split.parts[part]}
    # A split may leave recordings out, and with them all that there is of a class.
    classes = sorted({recordings[i].label for i in used})
    labels = [classes.index(r.label) if r.label in classes else -1 for r in recordings]
    write_windows(folder / "windows.npz", split, plan, labels)
    windows = open_windows(folder / "windows.npz")
    _require_every_class(windows, classes, labels, test_may_lack=split.test_may_lack)
    batches = _training_windows(folder, windows.of("train"), recordings, config)
    description = {
        "identity": identity,
        "classes": classes,
        "channels": list(config.data.channels),
        "sampling_rate": config.data.sampling_rate,
        "window": asdict(plan),
        "split": {
            **config.split.model_dump(mode="json"),
            "seed": _seed(config),
            "fact": split.fact,
            "held_out": split.held_out,
        },
        "normalize": {"name": config.normalize, "state": normalize.fit(config.normalize, batches)},
        "missing": selection.missing,
        "duplicates": [asdict(duplicate) for duplicate in written.duplicates],
        "notes": [
            *rate_notes(recordings, selection.missing, config.data.sampling_rate),
            *selection.notes,
            *taken_by_number(written.unnamed, config.data.channels),
            *split.notes,
            *left_out(recordings, classes),
        ],
    }
    write_document(folder, recordings, split, description)


def _seed(config: Config) -> int | None:
    drawn = config.split.strategy in SEEDED or isinstance(config.split.options.get("folds"), int)
    return config.seed if drawn else None


def _split(config: Config, recordings: Sequence[PreparedRecording]) -> Split:
    items = [SplitItem(r.name, r.samples, r.label, r.facts, r.sha256) for r in recordings]
    strategy = config.split.strategy
    return STRATEGIES.build(
        strategy, items, config.window.plan(), config.seed, **config.split.options
    )


def _require_every_class(
    windows: WindowIndex, classes: Sequence[str], labels: Sequence[int], *, test_may_lack: bool
) -> None:
    needed = PARTS[:2] if test_may_lack else PARTS
    present = {
        (part, labels[recording]) for part in PARTS for recording in windows.of(part).by_recording()
    }
    if len(windows.of("test")) == 0:
        raise FaultdiagError(
            "the test part has no window; use longer recordings, a shorter window.length or other "
            "groups in split"
        )
    lacking = [
        f"{part} has no window of {name}"
        for part in needed
        for label, name in enumerate(classes)
        if (part, label) not in present
    ]
    if lacking:
        raise FaultdiagError(
            f"every class needs a window in every part, but {'; '.join(lacking)}; use longer "
            "recordings, a shorter window.length, a smaller window.stride or larger "
            "window.per_class, or other split.fractions"
        )


def _training_windows(
    folder: Path, windows: WindowIndex, recordings: Sequence[PreparedRecording], config: Config
) -> Iterator[NDArray[np.float32]]:
    """Batches of training windows to fit a normaliser on, evenly thinned to at most 100,000."""
    signals = open_signals(folder)
    layout = SignalLayout(recordings, len(config.data.channels))
    step = -(-len(windows) // 100_000)
    for first in range(0, len(windows), 1024 * step):
        batch = windows.take(slice(first, first + 1024 * step, step))
        yield gather(signals, layout.positions(batch), config.window.length)
