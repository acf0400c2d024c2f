"""Finished cells on the disk: a line each, so that a killed comparison goes on where it was."""

import hashlib
import json
import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from faultdiag.config.schema import Config
from faultdiag.errors import FaultdiagError

Row = dict[str, Any]


def cell_key(config: Config, identity: str) -> str:
    """Give what a cell is known by: settings, data and versions, not where the data lies.

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
        Where the file lies; made if it isn't there.

    Raises
    ------
    FaultdiagError
        If the folder can't be made, or the file not be read.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "cells.jsonl"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            text = self._path.read_bytes() if self._path.exists() else b""
        except OSError as error:
            raise self._failed("cannot use", error) from error
        self._torn = bool(text) and not text.endswith(b"\n")
        rows = [row for line in text.splitlines() if (row := _row(line)) is not None]
        self._rows = {row["key"]: row for row in rows}

    def get(self, key: str, noise: tuple[float, ...]) -> Row | None:
        """Give the row of a finished cell, if it was evaluated at these levels too."""
        row = self._rows.get(key)
        return row if row and {str(level) for level in noise} <= row["noise"].keys() else None

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a row and force it to the disk.

        Raises
        ------
        FaultdiagError
            If it can't be written.
        """
        line = json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"
        try:
            with self._path.open("ab") as file:
                # After a torn line the first row would be lost with it.
                file.write((("\n" if self._torn else "") + line).encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise self._failed("cannot write", error) from error
        self._torn = False
        self._rows[row["key"]] = dict(row)

    def _failed(self, what: str, error: OSError) -> FaultdiagError:
        return FaultdiagError(
            f"{what} {self._path}: {error.strerror}; give another folder with --out, or free some "
            "space"
        )


def _row(line: bytes) -> Row | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    whole = isinstance(row, dict) and "key" in row and isinstance(row.get("noise"), dict)
    return row if whole else None
