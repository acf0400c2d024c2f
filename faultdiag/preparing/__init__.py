"""From a config to a prepared folder: the preprocessing stage."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faultdiag import normalize
from faultdiag.config import Config
from faultdiag.datasets import Selection, sha256
from faultdiag.errors import FaultdiagError
from faultdiag.prepared import (
    FORMAT,
    Prepared,
    PreparedRecording,
    SignalLayout,
    gather,
    new_folder,
    open_signals,
    write_document,
)
from faultdiag.preparing.notes import left_out, rate_notes, taken_by_number
from faultdiag.preparing.selecting import label_entries, select_recordings
from faultdiag.preparing.signals_file import Written, write_signals
from faultdiag.splits import PARTS, SEEDED, STRATEGIES, Split, SplitItem, split_file
from faultdiag.window_index import WindowIndex, open_windows, write_windows


def prepare(config: Config) -> Prepared:
    """Prepare the recordings of a config, or open what was prepared from the same before.

    The folder is ``<data.prepared>/<hash>``; the hash covers the bytes of every recording and
    every setting that changes the result.

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
    if not (folder / "prepared.json").is_file():
        with new_folder(folder) as temporary:
            written = write_signals(temporary, config, entries, labels, hashes)
            _write_rest(temporary, config, written, identity, selection)
    prepared = Prepared(folder)
    prepared.relocate([entry.path for entry in entries])
    return prepared


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
        settings["split_file"] = split_file.digest(config.split.options["path"])
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
        "split": {**config.split.model_dump(mode="json"), "seed": _seed(config)},
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
