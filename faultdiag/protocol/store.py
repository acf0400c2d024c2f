"""Finished cells on the disk: a line each, so that a killed comparison continues where it was."""

import hashlib
import json
import os
from importlib.metadata import version
from pathlib import Path

from faultdiag.config.schema import Config
from faultdiag.documents import Document, Json, parse_json
from faultdiag.errors import FaultdiagError
from faultdiag.system.cluster import Shard

Row = Json


def cell_key(config: Config, identity: str) -> str:
    """Return the key of a cell: its settings, data and versions, not the place of the data.

    Parameters
    ----------
    config
        Resolved, of one fold and seed.
    identity
        That of the prepared data: it covers the bytes of every recording.
    """
    settings = config.model_dump(mode="json")
    for section, key in (("data", "root"), ("data", "prepared"), ("train", "threads")):
        del settings[section][key]
    versions = [version(name) for name in ("faultdiag", "torch")]
    text = json.dumps([settings, identity, versions], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Store:
    """The rows of finished cells in ``cells.jsonl``; the last of equal keys counts.

    A line that is no row, as a kill while writing leaves one at the end, is passed over.

    Parameters
    ----------
    folder
        The folder of the file; made if it isn't there. Files of shards there are read too.
    shard
        The shard whose rows are added, to a file of its own: ``cells.2-of-8.jsonl``.

    Raises
    ------
    FaultdiagError
        If the folder can't be made, or the file not be read.
    """

    def __init__(self, folder: Path, shard: Shard | None = None) -> None:
        part = "" if shard is None else f".{shard.index}-of-{shard.count}"
        self.path = folder / f"cells{part}.jsonl"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            texts = {path: path.read_bytes() for path in sorted(folder.glob("cells*.jsonl"))}
        except OSError as error:
            raise self._failed("cannot use", error) from error
        own = texts.get(self.path, b"")
        self._torn = bool(own) and not own.endswith(b"\n")
        lines = (json_row(line) for text in texts.values() for line in text.splitlines())
        self._rows: dict[str, Row] = {}
        self._reasons: dict[str, Row] = {}
        for row in filter(None, lines):
            self._keep(row)

    def failure(self, key: str) -> Row | None:
        """Return why a cell failed in its shard, or None."""
        return self._reasons.get(key)

    def get(self, key: str, levels: tuple[str, ...]) -> Row | None:
        """Return the row of a finished cell, if it was evaluated at these levels too."""
        row = self._rows.get(key)
        return row if row and {*levels} <= row["noise"].keys() else None

    def add(self, row: Document) -> None:
        """Append a row and force it to the disk.

        Raises
        ------
        FaultdiagError
            If it can't be written.
        """
        line = json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"
        try:
            with self.path.open("ab") as file:
                # After a torn line the first row would be lost with it.
                file.write((("\n" if self._torn else "") + line).encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise self._failed("cannot write", error) from error
        self._torn = False
        self._keep(dict(row))

    def _keep(self, row: Row) -> None:
        (self._reasons if "reason" in row else self._rows)[row["key"]] = row

    def _failed(self, what: str, error: OSError) -> FaultdiagError:
        return FaultdiagError(
            f"{what} {self.path}: {error.strerror}; give another folder with --out, or free some "
            "space"
        )


def json_row(line: bytes) -> Row | None:
    """Return the row of a finished or failed cell that a line holds, or None."""
    try:
        row = parse_json(line)
    except ValueError:
        return None
    whole = isinstance(row, dict) and "key" in row
    known = whole and (isinstance(row.get("noise"), dict) or "reason" in row)
    return row if known else None
