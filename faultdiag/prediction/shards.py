"""Recordings shared out among commands that know nothing of each other, and their rows merged.

A recording belongs to the shard that a hash of its path chooses, whatever the other recordings
are. Rows of ``--out F.csv --shard 2/8`` go to ``F.csv.shards/2-of-8.csv``, and a file beside them
says when they are complete and what they depend on. Merging restores the bytes of a single run.
"""

import re
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import accumulate, chain
from pathlib import Path

from faultdiag.datasets.base import sha256
from faultdiag.documents import Document, parse_json
from faultdiag.errors import FaultdiagError
from faultdiag.prediction.resume import Count, StoredRow, count_rows, read_rows, record_ends
from faultdiag.prediction.rows import encodable
from faultdiag.system.cluster import Shard
from faultdiag.system.files import replacing, write_errors, write_json

_DIGEST = "sha256"


def start_shard(file: Path) -> None:
    """Make the folder of a shard's rows; the shard is not complete from here on.

    Raises
    ------
    FaultdiagError
        If it can't be made.
    """
    with write_errors(file, file.parent, _done_file(file)):
        file.parent.mkdir(exist_ok=True)
        _done_file(file).unlink(missing_ok=True)


def finish_shard(file: Path, inputs: Document, windows: Path | None) -> None:
    """Note that a shard's rows are complete, and what they depend on.

    Raises
    ------
    FaultdiagError
        If it can't be written.
    """
    digests = {_DIGEST: sha256(file), "windows": None if windows is None else sha256(windows)}
    write_json(_done_file(file), {"inputs": inputs, **digests})


def merge_shards(out: Path, paths: Sequence[str], inputs: Document, windows: Path | None) -> Count:
    """Merge the rows of all shards into `out`, in the order of the recordings.

    Parameters
    ----------
    out, windows
        The files for the rows and for those of the windows.
    paths
        All recordings, in order.
    inputs
        What the rows depend on.

    Returns
    -------
    Count
        Of all rows.

    Raises
    ------
    FaultdiagError
        If a shard is missing, incomplete, changed, or depends on something else.
    """
    shards = _complete_shards(out, inputs, windows)
    as_json = bool(inputs["--json"])
    files = [shard_file(out, shard) for shard in shards]
    rows = [read_rows(file, as_json=as_json)[0] for file in files]
    order = [next(i for i, shard in enumerate(shards) if shard.has(path)) for path in paths]
    _require_same_recordings(out, shards, rows, order, paths)
    _join(out, files, [record_ends(file, "status", as_json=as_json) for file in files], order)
    if windows is not None:
        files = [shard_file(windows, shard) for shard in shards]
        pairs = zip(files, rows, strict=True)
        ends = [_window_ends(*pair, as_json=as_json) for pair in pairs]
        _join(windows, files, ends, order)
    return count_rows(chain.from_iterable(rows))


def shard_file(out: Path, shard: Shard) -> Path:
    """Return the file for a shard's rows of `out`."""
    return _folder(out) / f"{shard.index}-of-{shard.count}{out.suffix}"


def _folder(out: Path) -> Path:
    return out.with_name(f"{out.name}.shards")


def _done_file(file: Path) -> Path:
    return file.with_name(f"{file.name}.done")


def _complete_shards(out: Path, inputs: Document, windows: Path | None) -> list[Shard]:
    """Return all shards, each complete, unchanged and of the same inputs."""
    count = _shard_count(out)
    shards = [Shard(index, count) for index in range(count)]
    missing = [str(shard) for shard in shards if not _done_file(shard_file(out, shard)).exists()]
    if missing:
        raise FaultdiagError(
            f"--merge: {len(missing)} of {len(shards)} shards are missing or not finished: "
            f"{', '.join(missing)} (0/{count} is the same as {count}/{count}); run the same "
            f"command with --shard {missing[0]}"
        )
    for shard in shards:
        _require_unchanged(shard, out, inputs, windows)
    return shards


def _shard_count(out: Path) -> int:
    """Return the number of shards that the names in a folder state."""
    folder = _folder(out)
    pattern = re.compile(rf"(\d+)-of-(\d+){re.escape(out.suffix)}(\.done|\.partial)?")
    names = (path.name for path in folder.glob("*"))
    counts = sorted({int(match[2]) for name in names if (match := pattern.fullmatch(name))})
    if not counts:
        raise FaultdiagError(
            f"--merge: {folder} holds no shards; run the same command with --shard 1/n to "
            "--shard n/n first"
        )
    if len(counts) > 1:
        raise FaultdiagError(
            f"--merge: {folder} holds shards of {' and '.join(map(str, counts))}; delete those "
            "that don't belong"
        )
    return counts[0]


def _require_unchanged(shard: Shard, out: Path, inputs: Document, windows: Path | None) -> None:
    file = shard_file(out, shard)
    try:
        stored = parse_json(_done_file(file).read_text(encoding="utf-8"))
        before = dict(stored["inputs"])
        digests = stored[_DIGEST], stored["windows"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise FaultdiagError(
            f"{_done_file(file)} cannot be read; run the shard again with --shard {shard}"
        ) from error
    for name, value in inputs.items():
        if before.get(name) != value:
            raise FaultdiagError(
                f"--merge: shard {shard} was made with {name} {before.get(name)}, now it is "
                f"{value}; give the same, or run the shard again with --shard {shard}"
            )
    files = file, None if windows is None else shard_file(windows, shard)
    for path, digest in zip(files, digests, strict=True):
        if path is not None and (not path.exists() or sha256(path) != digest):
            raise FaultdiagError(
                f"--merge: {path} is not as shard {shard} left it; run the shard again with "
                f"--shard {shard}"
            )


def _require_same_recordings(
    out: Path,
    shards: Sequence[Shard],
    rows: Sequence[Sequence[StoredRow]],
    order: Sequence[int],
    paths: Sequence[str],
) -> None:
    for number, shard in enumerate(shards):
        expected = [encodable(p) for p, own in zip(paths, order, strict=True) if own == number]
        present = [row.path for row in rows[number]]
        if present != expected:
            odd = next(iter(set(present) ^ set(expected)), "their order")
            raise FaultdiagError(
                f"--merge: {shard_file(out, shard)} is of other recordings, such as {odd}; give "
                f"the same recordings, or run the shard again with --shard {shard}"
            )


def _window_ends(file: Path, rows: Sequence[StoredRow], *, as_json: bool) -> list[int]:
    """Return the byte behind the heading, and behind the windows of each recording."""
    heading, *ends = record_ends(file, "window", as_json=as_json)
    counts = accumulate(row.windows for row in rows)
    return [heading, *(ends[count - 1] if count else heading for count in counts)]


def _join(
    target: Path, files: Sequence[Path], ends: Sequence[Sequence[int]], order: Sequence[int]
) -> None:
    """Join pieces of files in the order of their files' numbers, behind the first one's heading.

    Parameters
    ----------
    ends
        For each file, the byte behind its heading and behind each of its pieces.
    """
    with ExitStack() as stack, replacing(target) as temporary:
        sources = [stack.enter_context(file.open("rb")) for file in files]
        remaining = [iter(own) for own in ends]
        with temporary.open("wb") as joined:
            for number, source in enumerate(sources):
                heading = source.read(next(remaining[number]))
                joined.write(heading if number == 0 else b"")
            for number in order:
                source = sources[number]
                joined.write(source.read(next(remaining[number]) - source.tell()))
