"""Texts about a dataset that was fetched."""

from faultdiag.datasets.published import ARCHIVES
from faultdiag.documents import Json
from faultdiag.fetch.download import FileResult
from faultdiag.fetch.run import Fetched


def format_fetched(fetched: Fetched) -> str:
    """Return what there is now, what failed and why, what to do next and what to cite."""
    results = fetched.files
    megabytes = sum(result.received for result in results) / 1e6
    counts = {
        status: sum(result.status == status for result in results)
        for status in ("present", "fetched")
    }
    lines = [
        f"{len(results)} files of {fetched.name} in {fetched.folder}: {counts['present']} were "
        f"there, {counts['fetched']} fetched ({megabytes:.1f} MB), {len(fetched.failed)} failed"
    ]
    if fetched.failed:
        lines += ["", *_table(fetched.failed)]
    archives = [r.path for r in results if r.status != "failed" and r.path.name.endswith(ARCHIVES)]
    if archives:
        lines += ["", f"unpack before training: {', '.join(map(str, archives))}"]
    lines += ["", f"licence:  {fetched.source.licence}", f"citation: {fetched.source.citation}"]
    return "\n".join(lines)


def fetched_document(fetched: Fetched) -> Json:
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
