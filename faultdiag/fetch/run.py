"""Fetch a data set and report what came of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from faultdiag.errors import FaultdiagError
from faultdiag.fetch import SOURCES
from faultdiag.fetch.attempts import Download, Downloads, Pace, Row
from faultdiag.fetch.transfer import Source, Survey, Wanted, choose

TIMEOUT = 30.0
PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """The outcome of `fetch`: one row per file, in the order of the dataset."""

    name: str
    folder: Path
    source: Source
    rows: list[Row]

    @property
    def failed(self) -> list[Row]:
        """The files that are not there."""
        return [row for row in self.rows if row.status == "failed"]


def fetch(
    name: str,
    *,
    out: Path,
    only: Sequence[str] = (),
    base_url: str | None = None,
    jobs: int = 4,
    timeout: float = TIMEOUT,
    pause: float = PAUSE,
    progress: Callable[[int, int, int], object] = lambda *_: None,
) -> Fetched:
    """Download the files of a dataset that a folder lacks, each checked by its digest.

    Parameters
    ----------
    name
        A dataset of `SOURCES`.
    out
        The folder; made where missing. What lies in it, or below it, under whatever name, is
        recognised by its bytes and not fetched again.
    only
        Patterns; see `choose`.
    base_url
        A mirror; the dataset's own address where None.
    jobs
        Connections at once.
    timeout
        Seconds to wait for a connection, and for the next 8 KiB.
    pause
        Seconds to wait after a first failure; each further one doubles it.
    progress
        Told several times a second how many files are done, of how many, and how many bytes
        have come.

    Raises
    ------
    FaultdiagError
        If the dataset or a pattern is unknown, the address is none, the folder can't be read or
        written, or the server can't be reached.
    """
    source = SOURCES.get(name)()
    address = _address(base_url or source.base_url)
    wanted = choose(source.files(), only, source.patterns)
    if out.exists() and not out.is_dir():
        raise FaultdiagError(f"{out} is a file; name a folder with --out")
    rows, missing = _settled(wanted, source.survey(out), out)
    pace = Pace(pause)
    downloads = Downloads(
        [
            Download(file, f"{address}/{file.file}", out / file.file, pace=pace, timeout=timeout)
            for file in missing
        ],
        pace=pace,
        jobs=jobs,
    )
    try:
        for row in downloads.rows(lambda: progress(len(rows), len(wanted), downloads.received)):
            rows.append(row)
    except FaultdiagError as error:
        have = sum(row.status != "failed" for row in rows)
        raise FaultdiagError(
            f"{error}; {have} of {len(wanted)} files are in {out}, fetch again to go on"
        ) from error
    progress(len(rows), len(wanted), downloads.received)
    order = {file.file: number for number, file in enumerate(wanted)}
    return Fetched(name, out, source, sorted(rows, key=lambda row: order[row.wanted.file]))


def _settled(wanted: Sequence[Wanted], survey: Survey, out: Path) -> tuple[list[Row], list[Wanted]]:
    """Give the rows of files that need or allow no download, and the other files."""
    rows, missing = [], []
    for file in wanted:
        target = out / file.file
        if file.file in survey.present:
            rows.append(Row(file, "present", survey.present[file.file]))
        elif file.file in survey.blocked:
            rows.append(Row(file, "failed", target, error=survey.blocked[file.file]))
        else:
            missing.append(file)
    return rows, missing


def _address(url: str) -> str:
    """Give an address without its last slash, if files can lie under it."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment:
        raise FaultdiagError(
            f"--base-url is '{url}'; give the address of a folder that holds the files, such as "
            "https://example.org/cwru/"
        )
    return url.rstrip("/")


def format_fetched(fetched: Fetched) -> str:
    """Give what there is now, what failed and why, and what to cite."""
    rows = fetched.rows
    came = sum(row.received for row in rows) / 1e6
    counts = {
        status: sum(row.status == status for row in rows) for status in ("present", "fetched")
    }
    lines = [
        f"{len(rows)} files of {fetched.name} in {fetched.folder}: {counts['present']} were there, "
        f"{counts['fetched']} fetched ({came:.1f} MB), {len(fetched.failed)} failed"
    ]
    if fetched.failed:
        lines += ["", *_table(fetched.failed)]
    lines += ["", f"licence:  {fetched.source.licence}", f"citation: {fetched.source.citation}"]
    return "\n".join(lines)


def as_document(fetched: Fetched) -> dict[str, Any]:
    """Give the same as plain values.

    ``dataset, folder, licence, citation`` and ``files``: per file ``file, title, status``
    (present, fetched or failed), ``path, received`` (bytes) and ``error``.
    """
    return {
        "dataset": fetched.name,
        "folder": str(fetched.folder),
        "licence": fetched.source.licence,
        "citation": fetched.source.citation,
        "files": [_document(row) for row in fetched.rows],
    }


def _document(row: Row) -> dict[str, Any]:
    return {
        "file": row.wanted.file,
        "title": row.wanted.title,
        "status": row.status,
        "path": None if row.status == "failed" else str(row.path),
        "received": row.received,
        "error": row.error,
    }


def _table(rows: list[Row]) -> list[str]:
    width = max(len(row.wanted.title) for row in rows)
    return [f"  {row.wanted.title:<{width}}  {row.error}" for row in rows]
