"""Prepare recordings: split them, write signals and windows."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from faultdiag.config.schema import Config, TransferConfig
from faultdiag.datasets.base import Entry, sha256
from faultdiag.datasets.load import load_entry
from faultdiag.documents import Json
from faultdiag.errors import FaultdiagError, counted
from faultdiag.preparing.folder import (
    FORMAT,
    DamagedError,
    Prepared,
    PreparedRecording,
    SignalLayout,
    Writer,
    gather,
    new_folder,
    open_signals,
    write_document,
)
from faultdiag.preparing.recordings import ChosenRecordings, choose_recordings
from faultdiag.preparing.window_index import WindowIndex, open_windows, write_windows
from faultdiag.signal import normalize
from faultdiag.signal.kinds import oddity
from faultdiag.signal.recording import Recording
from faultdiag.signal.resampling import resample
from faultdiag.splits import file
from faultdiag.splits.duplicates import Duplicate, Fingerprints
from faultdiag.splits.target import TargetPlan, split_domains
from faultdiag.splits.within import (
    PARTS,
    SEEDED,
    SOURCE_TEST,
    STRATEGIES,
    Split,
    SplitItem,
)
from faultdiag.system.files import write_errors
from faultdiag.system.locks import own
from faultdiag.system.terminal import warn

# Samples that decide whether a channel is a vibration.
_KIND_SAMPLES = 2**17


def odd_channels(odd: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a note on each channel that looks odd in some recordings."""
    return [f"{text} ({_some(n)})" for text, n in odd.items()]


def _oddities(recording: Recording) -> list[str]:
    rows = zip(recording.channels, recording.signal[:, :_KIND_SAMPLES], strict=True)
    return [text for name, row in rows if (text := oddity(name, row, recording.sampling_rate))]


def taken_by_number(unnamed: Mapping[str, Sequence[str]], wanted: Sequence[str]) -> list[str]:
    """Return a note about recordings whose channels have other names than in the config."""
    if not unnamed:
        return []
    names = [f"{name} ({', '.join(channels)})" for name, channels in unnamed.items()]
    return [
        f"no channel is called {' or '.join(wanted)} in {counted(len(names), 'recording')}, so the "
        f"same number of theirs were taken: {_some(names)}"
    ]


def rate_notes(
    recordings: Sequence[PreparedRecording], missing: Sequence[str], rate: float
) -> list[str]:
    """Return notes about recordings that are missing, and those resampled to `rate`."""
    notes = []
    if missing:
        notes.append(
            f"{len(missing)} of the {counted(len(missing) + len(recordings), 'recording')} "
            "selected are not "
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
    return [
        f"{counted(len(classes), 'class')} are left, because all of {', '.join(lost)} is left out"
    ]


def _some(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


@dataclass(frozen=True)
class WrittenSignals:
    """The prepared folder, and notes on the recordings.

    Parameters
    ----------
    recordings
        The recordings in their order.
    unnamed
        The channels of recordings that name them differently than the config.
    odd
        Recordings by what speaks against a vibration.
    duplicates
        Signals that are in two of the recordings.
    """

    recordings: list[PreparedRecording]
    unnamed: Mapping[str, Sequence[str]]
    odd: Mapping[str, Sequence[str]]
    duplicates: list[Duplicate]


def write_signals(
    folder: Path, config: Config, chosen: ChosenRecordings, hashes: Sequence[str]
) -> WrittenSignals:
    """Write the recordings at the config's rate, one after the other."""
    rows = list(zip(chosen.entries, chosen.labels, chosen.channels, hashes, strict=True))
    rate = config.data.sampling_rate
    recordings: list[PreparedRecording] = []
    unnamed: dict[str, Sequence[str]] = {}
    odd: dict[str, list[str]] = {}
    prints = Fingerprints()
    with (folder / "signals.npy").open("wb") as file:
        writer = Writer(file)
        bar = tqdm(rows, "preparing", unit="recording", disable=None)
        for entry, label, channels, digest in bar:
            recording = load_entry(entry, channels)
            prints.add(recording.signal)
            if recording.channels != channels:
                unnamed[entry.name] = recording.channels
            for text in _oddities(recording):
                odd.setdefault(text, []).append(entry.name)
            fitted = _at_rate(recording, rate)
            recorded_at = recording.sampling_rate or rate
            offset = writer.append(fitted)
            recordings.append(
                _described(entry, label, digest, fitted, offset=offset, recorded_at=recorded_at)
            )
        writer.finish()
    return WrittenSignals(
        recordings, unnamed, odd, _find_duplicates(config, chosen, recordings, prints)
    )


def _described(
    entry: Entry, label: str, digest: str, fitted: Recording, *, offset: int, recorded_at: float
) -> PreparedRecording:
    """Return the description of a recording that was written at `offset`."""
    return PreparedRecording(
        name=entry.name,
        source=str(entry.path),
        sha256=digest,
        label=label,
        samples=fitted.samples,
        offset=offset,
        rpm=fitted.rpm,
        recorded_at=recorded_at,
        facts=dict(fitted.facts),
    )


def _find_duplicates(
    config: Config,
    chosen: ChosenRecordings,
    recordings: Sequence[PreparedRecording],
    prints: Fingerprints,
) -> list[Duplicate]:
    """Return duplicate signals as recorded: resampling an excerpt changes it at its ends."""
    rate = config.data.sampling_rate
    minimum = [ceil(config.window.length * row.recorded_at / rate) for row in recordings]
    return prints.find(lambda i: load_entry(chosen.entries[i], chosen.channels[i]).signal, minimum)


def _at_rate(recording: Recording, rate: float) -> Recording:
    if recording.sampling_rate is None or recording.sampling_rate == rate:
        return recording
    signal = resample(recording.signal, recording.sampling_rate, rate)
    return replace(recording, signal=signal, sampling_rate=rate)


def digests(entries: Sequence[Entry]) -> list[str]:
    """Return the SHA-256 of each recording: of its file, or of its windows' place in a file.

    Raises
    ------
    FaultdiagError
        If a file can't be read.
    """
    of_file = {path: sha256(path) for path in dict.fromkeys(entry.path for entry in entries)}
    return [
        of_file[e.path]
        if e.rows is None
        else hashlib.sha256(f"{of_file[e.path]} {e.name}".encode()).hexdigest()
        for e in entries
    ]


def prepare(config: Config) -> Prepared:
    """Prepare the recordings of a config, or open what was prepared from the same before.

    The folder is ``<data.prepared>/<hash>``; the hash covers the bytes of every recording and
    every setting that changes the result. While another command writes it, this one waits. A
    damaged folder is set aside and prepared again, with a warning.

    Raises
    ------
    FaultdiagError
        If recordings are missing, broken, too short or of an unknown rate, or the folder can't
        be written.
    """
    chosen = choose_recordings(config)
    hashes = digests(chosen.entries)
    identity = _identity(config, chosen, hashes)
    folder = config.data.prepared / identity[:16]
    _sweep(folder.parent)
    prepared = _open(folder)
    if prepared is None:
        with _owned(folder):
            prepared = _open(folder, repair=True)
            if prepared is None:
                with new_folder(folder) as temporary:
                    written = write_signals(temporary, config, chosen, hashes)
                    _write_rest(temporary, config, written, identity, chosen)
                prepared = Prepared(folder)
    prepared.relocate([entry.path for entry in chosen.entries])
    return prepared


def find_prepared(config: Config) -> Prepared | None:
    """Open what was prepared from a config before; None where it isn't there any more.

    Raises
    ------
    FaultdiagError
        If recordings are missing, or the folder is damaged.
    """
    chosen = choose_recordings(config)
    hashes = digests(chosen.entries)
    folder = config.data.prepared / _identity(config, chosen, hashes)[:16]
    if not (folder / "prepared.json").is_file():
        return None
    prepared = Prepared(folder)
    prepared.relocate([entry.path for entry in chosen.entries])
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
            warn(f"{error}: it was moved to {aside}, and is prepared again")
        return None


def _sweep(root: Path) -> None:
    """Remove the folders that killed processes left unfinished: those that nobody owns."""
    for path in root.glob(".*.writing"):
        folder = path.with_name(path.name.removeprefix(".").removesuffix(".writing"))
        with suppress(FaultdiagError), own(folder, _lock_of(folder), ""):
            shutil.rmtree(path, ignore_errors=True)


def _identity(config: Config, chosen: ChosenRecordings, hashes: Sequence[str]) -> str:
    settings: Json = {
        "format": FORMAT,
        "channels": config.data.channels,
        "sampling_rate": config.data.sampling_rate,
        "window": asdict(config.window.plan()),
        "split": config.split.model_dump(mode="json"),
        "seed": drawing_seed(config),
        "normalize": config.normalize,
        "recordings": [
            [
                *(entry.name, label, digest, entry.sampling_rate, entry.rpm, dict(entry.facts)),
                *entry.channels,
            ]
            for entry, label, digest in zip(chosen.entries, chosen.labels, hashes, strict=True)
        ],
        "missing": chosen.missing,
        "notes": chosen.notes,
    }
    if config.transfer is not None:
        settings["transfer"] = {
            "target": chosen.target,
            "channels": chosen.channels,
            "cut": asdict(_target_plan(config)),
        }
    if config.split.strategy == "file":
        settings["split_file"] = file.digest(config.split.options["path"])
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _write_rest(
    folder: Path,
    config: Config,
    written: WrittenSignals,
    identity: str,
    chosen: ChosenRecordings,
) -> None:
    """Split the recordings, and write windows and description."""
    recordings = written.recordings
    plan = config.window.plan()
    split = _split(config, recordings, chosen.target)
    # A split may leave recordings out, and with them all that there is of a class; of a target
    # nothing but what is tested has a class.
    own = PARTS if config.transfer is None else ("train", "valid", SOURCE_TEST)
    used = {segment.recording for part in own for segment in split.parts[part]}
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
        "split": _split_description(config, split),
        "normalize": {"name": config.normalize, "state": normalize.fit(config.normalize, batches)},
        "missing": chosen.missing,
        "duplicates": [asdict(duplicate) for duplicate in written.duplicates],
        "notes": _notes(config, written, chosen, split, classes),
    }
    write_document(folder, recordings, split, description)


def _split_description(config: Config, split: Split) -> Json:
    return {
        **config.split.model_dump(mode="json"),
        "seed": drawing_seed(config),
        "fact": split.fact,
        "held_out": split.held_out,
    }


def _notes(
    config: Config,
    written: WrittenSignals,
    chosen: ChosenRecordings,
    split: Split,
    classes: Sequence[str],
) -> list[str]:
    """Return notes on rates, names, channels, the split and the classes."""
    recordings = written.recordings
    return [
        *rate_notes(recordings, chosen.missing, config.data.sampling_rate),
        *chosen.notes,
        *taken_by_number(written.unnamed, config.data.channels),
        *odd_channels(written.odd),
        *split.notes,
        *_class_notes(config, split, recordings, classes),
    ]


def drawing_seed(config: Config) -> int | None:
    """Return the seed where the split draws by it, else None."""
    drawn = config.split.strategy in SEEDED or isinstance(config.split.options.get("folds"), int)
    dealt = config.transfer is not None and config.transfer.hold_out == "windows"
    return config.seed if drawn or dealt else None


def _split(
    config: Config, recordings: Sequence[PreparedRecording], target: Sequence[int] | None
) -> Split:
    items = [SplitItem(r.name, r.samples, r.label, r.facts, r.sha256) for r in recordings]
    strategy, options = config.split.strategy, config.split.options
    plan = config.window.plan()
    if config.transfer is None:
        return STRATEGIES.build(strategy, items, plan, config.seed, **options)
    return split_domains(
        items,
        plan,
        config.seed,
        strategy=strategy,
        options=options,
        target=target,
        cut=_target_plan(config),
    )


def _target_plan(config: Config) -> TargetPlan:
    transfer = config.transfer or TransferConfig()
    return TargetPlan(transfer.adapt, transfer.hold_out, config.split.options.get("gap"))


def _class_notes(
    config: Config,
    split: Split,
    recordings: Sequence[PreparedRecording],
    classes: Sequence[str],
) -> list[str]:
    """Return which classes the split leaves out, and which of a target can't be scored."""
    if config.transfer is None:
        return left_out(recordings, classes)
    labels = {recordings[segment.recording].label for segment in split.parts["test"]} - {""}
    strange, absent = sorted(labels - set(classes)), sorted(set(classes) - labels)
    notes = []
    if not labels:
        return ["the target has no labels, so its test part is diagnosed and not scored"]
    if strange:
        notes.append(
            f"the target has {', '.join(strange)}, which the source lacks: no window of it can be "
            "right, and none is scored"
        )
    if absent:
        notes.append(
            f"the target has no recording of {', '.join(absent)}: adaptation expects all classes "
            "of the source, and can make things worse"
        )
    return notes


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
