"""Data as text: fetched data sets; prepared parts, what they share, folds."""

from collections import Counter
from collections.abc import Mapping, Sequence

from faultdiag.datasets.published import ARCHIVES
from faultdiag.documents import Document, Json
from faultdiag.errors import counted, did_you_mean
from faultdiag.fetch.download import FetchResults, FileResult
from faultdiag.preparing.folder import Prepared
from faultdiag.preparing.folds import Fold
from faultdiag.report.tables import format_table
from faultdiag.splits.sharing import LEVELS
from faultdiag.splits.within import PARTS

# More copies than these are counted, not named.
MOST_NAMED = 5
# A scale nearer to 1 is not worth a word.
SCALED = 1e-4
PAIR_COLUMNS = ("samples", "recordings", "bearings", "conditions")
MEANING = {
    "samples": "test holds samples{of} that the model was made with: the figure says how well "
    "they are remembered",
    "recording": "train and test share recordings{of}: the figure says how well other seconds of "
    "the same recordings are distinguished",
    "bearing": "train and test share bearings{of}: the figure says how well the same bearings are "
    "distinguished{condition}",
    "unknown": "train and test share no recording{of}; nothing says whether they share bearings",
    "adapted": "test holds other seconds of the recordings{of} that were adapted to, without their "
    "labels; train and test share no recording",
    "none": "train and test share no bearing{of}: the figure says how well faults of bearings "
    "never seen are distinguished",
}


def pairs_table(pairs: Mapping[str, Mapping[str, int | None]]) -> str:
    """Return a table of what each two parts share."""
    rows = [{"parts": name, **counts} for name, counts in pairs.items()]
    return format_table(rows, {name: name for name in ("parts", *PAIR_COLUMNS)})


def leak_lines(split: Document) -> list[str]:
    """Return what the parts share means for the figure, a line for each level that a class is at.

    Parameters
    ----------
    split
        That of ``metrics.json``, with ``pairs``, ``leak`` and ``leak_by_class``.
    """
    by_class: Mapping[str, str] = split["leak_by_class"]
    other = split["pairs"]["train-test"]["conditions"] == 0
    condition = " under another load or speed" if other else " in other recordings"
    lines: list[str] = []
    left = len(by_class)
    for level in LEVELS:
        classes = [name for name, leak in by_class.items() if leak == level]
        left -= len(classes)
        if classes:
            some = len(classes) < len(by_class)
            of = f" of {_classes(classes, last=left == 0)}" if some else ""
            meaning = MEANING[_meaning(level, split["pairs"])]
            lines.append(meaning.format(of=of, condition=condition))
    return lines


def _meaning(level: str, pairs: Mapping[str, Mapping[str, int | None]]) -> str:
    """Return the level, or ``adapted`` where recordings are shared with the target part alone."""
    labelled = [pairs[f"{part}-test"] for part in ("train", "valid") if f"{part}-test" in pairs]
    apart = "test-target_adapt" in pairs and not any(pair["recordings"] for pair in labelled)
    return "adapted" if level == "recording" and apart else level


def _classes(classes: Sequence[str], *, last: bool) -> str:
    if len(classes) <= MOST_NAMED:
        return ", ".join(classes)
    return f"{'the other ' if last else ''}{counted(len(classes), 'class')}"


def duplicate_lines(duplicates: Sequence[Document]) -> list[str]:
    """Name the duplicate samples: leaks from training or validation into test first."""
    lines = []
    for leak, word in ((True, "LEAK"), (False, "note")):
        rows = _of_recordings([row for row in duplicates if row["leak"] == leak])
        lines += [f"{word}: {_said(row)}" for row in rows[:MOST_NAMED]]
        if len(rows) > MOST_NAMED:
            more = len(rows) - MOST_NAMED
            lines.append(f"{word}: {more} more such pairs; metrics.json names them all")
    return lines


def _of_recordings(rows: Sequence[Document]) -> list[Document]:
    """Return one row where several channels of two recordings agree at the same place."""
    places = {(tuple(row["recordings"]), tuple(row["start"])): row for row in reversed(rows)}
    second = [row for row in rows if _is_second_channel(row)]
    return second + [row for row in reversed(places.values()) if not _is_second_channel(row)]


def _is_second_channel(row: Document) -> bool:
    one, other = row["recordings"]
    return bool(one == other and row["start"][0] == row["start"][1])


def _said(row: Document) -> str:
    (one, other), (channel, another) = row["recordings"], row["channels"]
    if _is_second_channel(row):
        return (
            f"channel {another} of {one} is {row['scale']:.6f} times its channel {channel}: no "
            "second measurement"
        )
    scaled = abs(row["scale"] - 1) > SCALED
    times = f", the second {row['scale']:.6g} times the first" if scaled else ""
    sides = [f"({', '.join(parts) or 'in no part'})" for parts in row["parts"]]
    if one == other:
        first, again = (
            f"from {start:,} {side}" for start, side in zip(row["start"], sides, strict=True)
        )
        return f"{one} holds {row['samples']:,} samples twice, {first} and {again}{times}"
    names = [one, other] if channel == another else [f"{one} {channel}", f"{other} {another}"]
    first, second = (f"{name} {side}" for name, side in zip(names, sides, strict=True))
    return f"{first} and {second} hold the same {row['samples']:,} samples{times}"


def describe_prepared(prepared: Prepared, healthy: Sequence[str] = ()) -> str:
    """Return the content of each part, and what the parts share, as text.

    Parameters
    ----------
    healthy
        The classes that count as healthy; a name that is not a class is reported.
    """
    rows = []
    for part in prepared.parts:
        windows = prepared.windows.of(part)
        recordings = windows.by_recording()
        rows.append(
            {
                "part": part,
                "windows": len(windows),
                "disjoint": prepared.audit.disjoint_windows[part],
                "recordings": len(recordings),
                "classes": len({prepared.recordings[number].label for number in recordings} - {""}),
            }
        )
    split = {
        "strategy": prepared.document["split"]["strategy"],
        **prepared.audit.to_dict(),
        **prepared.sharing.to_dict(),
        "notes": [*prepared.notes, *_healthy_notes(prepared.classes, healthy)],
    }
    tables = [format_table(rows, {name: name for name in rows[0]}), "", pairs_table(split["pairs"])]
    return "\n".join([*tables, *split_lines(split)])


def split_lines(split: Document) -> list[str]:
    """Return the context of every score as text: strategy, what its parts share, notes."""
    lines = [f"split {split['strategy']}: {split['shared_samples']} samples in two or more parts"]
    if split["leaking_test_windows"]:
        lines.append(
            f"LEAK: {split['leaking_test_windows']:.1%} of the test windows overlap a "
            "training window"
        )
    if split["valid_test_overlap"]:
        lines.append(
            f"LEAK: a test window shares {split['valid_test_overlap']:.1%} of its samples "
            "with its nearest validation window, on average"
        )
    # Of other data than the model was made with, the training part says nothing.
    if "seen_windows" not in split:
        lines += [*duplicate_lines(split["duplicates"]), *leak_lines(split)]
    return lines + [f"note: {note}" for note in split["notes"]]


def _healthy_notes(classes: Sequence[str], healthy: Sequence[str]) -> list[str]:
    strange = [name for name in healthy if name not in classes]
    notes = [
        f"data.healthy names '{name}', which is no class{did_you_mean(name, classes)}; "
        f"there are: {', '.join(classes)}"
        for name in strange
    ]
    if strange and len(strange) == len(healthy):
        notes.append("no class is healthy, so false and missed alarms are undefined")
    return notes


def describe_recordings(prepared: Prepared) -> str:
    """Return the recordings of each class and what they were resampled from, as text."""
    rows: list[dict[str, object]] = []
    windows = {part: prepared.windows.of(part).by_recording() for part in prepared.parts}
    for number, recording in enumerate(prepared.recordings):
        rows.append(
            {
                "recording": recording.name,
                "class": recording.label or "-",
                "samples": recording.samples,
                **{part: len(windows[part].get(number, ())) for part in prepared.parts},
                "rpm": "-" if recording.rpm is None else f"{recording.rpm:g}",
                "recorded at Hz": f"{recording.recorded_at:g}",
                "file": recording.source,
            }
        )
    return format_table(rows, {name: name for name in rows[0]})


def class_line(prepared: Prepared) -> str:
    """Return the classes, and of how many recordings each is."""
    labels = (recording.label for recording in prepared.recordings)
    count = Counter(label for label in labels if label in prepared.classes)
    named = ", ".join(f"{name} ({count[name]})" for name in prepared.classes)
    return f"{counted(len(count), 'class')} (recordings): {named}"


FOLD_COLUMNS = {
    "fold": "fold",
    **{part: f"{part} windows" for part in PARTS},
    "recordings": "test recordings",
    "classes": "test classes",
    "shared": "shared samples",
    "leak": "leak",
}


def fold_table(folds: Sequence[Fold], made: Sequence[Prepared]) -> str:
    """Return the parts of each fold as a table, and what holds for all of them."""
    rows = []
    for fold, prepared in zip(folds, made, strict=True):
        tested = prepared.windows.of("test").by_recording()
        rows.append(
            {
                "fold": fold.name,
                **{part: len(prepared.windows.of(part)) for part in PARTS},
                "recordings": len(tested),
                "classes": len({prepared.recordings[number].label for number in tested}),
                "shared": prepared.audit.shared_samples,
                "leak": prepared.sharing.leak,
            }
        )
    strategy = folds[0].config.split.strategy
    lines = [format_table(rows, FOLD_COLUMNS), f"split {strategy}: {len(folds)} folds"]
    for fold, prepared in zip(folds, made, strict=True):
        copies = [row for row in prepared.sharing.duplicates if row["leak"]]
        lines += [f"fold '{fold.name}': {line}" for line in duplicate_lines(copies)]
    return "\n".join([*lines, *(f"note: {note}" for note in common_notes([m.notes for m in made]))])


def common_notes(notes: Sequence[Sequence[str]]) -> list[str]:
    """Return the notes that every fold has, and how many more there are of single folds."""
    common = [note for note in notes[0] if all(note in others for others in notes)]
    single = sum(any(note not in common for note in others) for others in notes)
    if single:
        common.append(
            f"{single} folds have notes of their own; split.fold: 0 (or 1, 2, …) checks one alone"
        )
    return common


def format_fetched(fetched: FetchResults) -> str:
    """Return the text on files, failures and their reasons, the next step and the citation."""
    results = fetched.files
    megabytes = sum(result.received for result in results) / 1e6
    counts = {
        status: sum(result.status == status for result in results)
        for status in ("present", "fetched")
    }
    lines = [
        f"{counted(len(results), 'file')} of {fetched.name} in {fetched.folder}: "
        f"{counts['present']} were "
        f"there, {counts['fetched']} fetched ({megabytes:.1f} MB), {len(fetched.failed)} failed"
    ]
    if fetched.failed:
        lines += ["", *_table(fetched.failed)]
    archives = [r.path for r in results if r.status != "failed" and r.path.name.endswith(ARCHIVES)]
    if archives:
        lines += ["", f"unpack before training: {', '.join(map(str, archives))}"]
    lines += ["", f"licence:  {fetched.source.licence}", f"citation: {fetched.source.citation}"]
    return "\n".join(lines)


def fetched_document(fetched: FetchResults) -> Json:
    """Return the same as plain values.

    ``dataset, folder, licence, citation`` and ``files``: per file ``file, title, status``
    (present, fetched or failed), ``path, received`` (bytes) and ``error``.
    """
    return {
        "dataset": fetched.name,
        "folder": str(fetched.folder),
        "licence": fetched.source.licence,
        "citation": fetched.source.citation,
        "files": [_document(result) for result in fetched.files],
    }


def _document(result: FileResult) -> Json:
    return {
        "file": result.file.file,
        "title": result.file.title,
        "status": result.status,
        "path": None if result.status == "failed" else str(result.path),
        "received": result.received,
        "error": result.error,
    }


def _table(results: list[FileResult]) -> list[str]:
    width = max(len(result.file.title) for result in results)
    return [f"  {result.file.title:<{width}}  {result.error}" for result in results]
