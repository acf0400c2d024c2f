"""What a fetch did, as text and as JSON."""

from typing import Any

from faultdiag.fetch.attempts import Row
from faultdiag.fetch.run import Fetched


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
