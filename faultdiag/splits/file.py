"""A split given back from the ``split.json`` of a run: the same segments of the same recordings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from faultdiag.datasets.base import sha256
from faultdiag.documents import Document, parse_json
from faultdiag.errors import FaultdiagError, counted
from faultdiag.signal.recording import Segment
from faultdiag.signal.windows import WindowPlan
from faultdiag.splits.within import (
    ALL_PARTS,
    PARTS,
    TARGET_ADAPT,
    Fractions,
    Gap,
    Split,
    SplitItem,
)
from faultdiag.system.files import read_bytes


@dataclass(frozen=True, slots=True)
class SavedRecording:
    """A recording of the file: its name there, the digest of its bytes, its length in samples."""

    name: str
    sha256: str
    samples: int


@dataclass(frozen=True, slots=True)
class SavedSplit:
    """The content of the file; segments count its own recordings."""

    path: Path
    strategy: str
    recordings: tuple[SavedRecording, ...]
    parts: Mapping[str, tuple[Segment, ...]]
    fractions: Fractions

    @property
    def used(self) -> list[int]:
        """The recordings that have a segment, in order."""
        return sorted({s.recording for segments in self.parts.values() for s in segments})


def split_path(path: str | Path) -> Path:
    """Return the file that is meant: ``split.json`` in a run folder, or the file itself."""
    given = Path(path).expanduser()
    return given / "split.json" if given.is_dir() else given


def digest(path: str | Path) -> str:
    """Return the SHA-256 of the file.

    Raises
    ------
    FaultdiagError
        If it can't be read.
    """
    file = split_path(path)
    if not file.is_file():
        raise _unreadable(file, "there is no such file")
    return sha256(file)


def read_split_file(path: str | Path) -> SavedSplit:
    """Read the split that a run folder or its ``split.json`` holds.

    Raises
    ------
    FaultdiagError
        If it can't be read, is no split, or a part has no segment.
    """
    file = split_path(path)
    try:
        document = parse_json(read_bytes(file).decode("utf-8"))
        saved = _saved(file, document)
    except OSError as error:
        raise _unreadable(file, error.strerror) from error
    except (ValueError, TypeError, KeyError) as error:
        raise _unreadable(file, f"it is no split.json ({error!r})") from error
    for part in PARTS:
        if not saved.parts[part]:
            raise FaultdiagError(
                f"the split {file} has no segment in its {part} part; give one with all three"
            )
    return saved


def _unreadable(path: Path, reason: object) -> FaultdiagError:
    return FaultdiagError(
        f"cannot read the split {path}: {reason}; give a run folder, or the split.json of one"
    )


def _saved(path: Path, document: Document) -> SavedSplit:
    recordings = tuple(
        SavedRecording(str(row["name"]), str(row["sha256"]), int(row["samples"]))
        for row in document["recordings"]
    )
    parts = {
        part: tuple(Segment(*map(int, row)) for row in document["parts"][part])
        for part in ALL_PARTS
        if part in PARTS or part in document["parts"]
    }
    for segments in parts.values():
        _require_within(segments, recordings)
    fractions = TypeAdapter(Fractions).validate_python(document.get("fractions", (0.7, 0.2, 0.1)))
    return SavedSplit(path, str(document["strategy"]), recordings, parts, fractions)


def _require_within(segments: Sequence[Segment], recordings: Sequence[SavedRecording]) -> None:
    for segment in segments:
        there = segment.recording in range(len(recordings))
        last = recordings[segment.recording].samples if there else -1
        if not 0 <= segment.start < segment.stop <= last:
            raise ValueError(
                f"{segment} lies in none of its {counted(len(recordings), 'recording')}"
            )


def from_file(
    items: Sequence[SplitItem],
    plan: WindowPlan,
    seed: int,
    *,
    path: str,
    gap: Gap | None = None,
) -> Split:
    """Take the segments of a split that was made before, wherever its recordings lie now.

    Recordings are known by their bytes, whatever their names. Recordings that the file doesn't
    use are left out, and a note says so.

    Parameters
    ----------
    path
        A run folder, or the ``split.json`` of one.
    gap
        Accepted so that the strategy of a config can be changed alone; the segments have their
        own gaps, and a note says so.

    Raises
    ------
    FaultdiagError
        If the file can't be read or one of its recordings is not among `items`, has another
        length, or the test part has a class that the training part lacks.
    """
    del plan, seed
    saved = read_split_file(path)
    places = _places(items, saved)
    _require_lengths(items, saved, places)
    parts = {
        part: tuple(Segment(places[s.recording], s.start, s.stop) for s in segments)
        for part, segments in saved.parts.items()
    }
    if TARGET_ADAPT not in parts:
        _require_trained(items, parts, saved.path)
    notes = [f"the parts are those of {saved.path}, made by {saved.strategy}"]
    if gap is not None:
        notes.append(f"split.gap {gap} has no effect with file: its segments are made already")
    left = [item.name for i, item in enumerate(items) if i not in places.values()]
    if left:
        notes.append(f"not in that split, so left out: {', '.join(left)}")
    shares = dict(zip(PARTS, saved.fractions, strict=True))
    return Split(parts, shares, tuple(notes), test_may_lack=True)


def _places(items: Sequence[SplitItem], saved: SavedSplit) -> dict[int, int]:
    """Return the index in `items` of each recording of the file, by bytes, then by name."""
    by_bytes: dict[str, list[int]] = {}
    for i, item in enumerate(items):
        by_bytes.setdefault(item.sha256, []).append(i)
    places, missing = {}, []
    for number in saved.used:
        row = saved.recordings[number]
        same = by_bytes.get(row.sha256, [])
        if same:
            places[number] = next((i for i in same if items[i].name == row.name), same[0])
        else:
            changed = any(item.name == row.name for item in items)
            missing.append(f"{row.name} (its bytes have changed)" if changed else row.name)
    if missing:
        raise FaultdiagError(
            f"the split {saved.path} uses {counted(len(missing), 'recording')} that the data "
            "lacks: "
            f"{', '.join(missing)}; restore them, or widen data.select to have them"
        )
    return places


def _require_lengths(
    items: Sequence[SplitItem], saved: SavedSplit, places: Mapping[int, int]
) -> None:
    for number, place in places.items():
        item, row = items[place], saved.recordings[number]
        if item.samples != row.samples:
            raise FaultdiagError(
                f"{item.name} has {item.samples} samples here and {row.samples} in the split "
                f"{saved.path}, so that was made at another data.sampling_rate, "
                f"{row.samples / item.samples:.4g} times this one; set that"
            )


def _require_trained(
    items: Sequence[SplitItem], parts: Mapping[str, Sequence[Segment]], path: Path
) -> None:
    labels = {part: {items[s.recording].label for s in parts[part]} for part in PARTS}
    strange = sorted(labels["test"] - labels["train"])
    if strange:
        raise FaultdiagError(
            f"the test part of the split {path} has {', '.join(strange)}, which no training "
            "recording has; set data.label as it was when the split was made"
        )
