"""`faultdiag fetch`."""

import json
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from faultdiag.cli.exits import INTERRUPTED, show, stop
from faultdiag.errors import counted

# What downloads is imported when it is called.

JOBS = 4


def fetch(
    name: Annotated[str, typer.Argument(help="The dataset: cwru, jnu, mfpt, …")],
    *,
    out: Annotated[Path | None, typer.Option(help="Folder; data/NAME if not given.")] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Files by name; of cwru also 105, 12k_DE, 'IR*', '12k_DE_*_0'."),
    ] = None,
    base_url: Annotated[str | None, typer.Option(help="A mirror's folder.")] = None,
    jobs: Annotated[int, typer.Option(min=1, max=16, help="Connections at once.")] = JOBS,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Download the recordings of a dataset, each checked by its digest.

    A file that the folder has already, under whatever name, is recognised by its bytes and not
    fetched again; an interrupted download continues where it stopped.

    Example: faultdiag fetch cwru --only normal --only '12k_DE_*_0'
    """
    from faultdiag.fetch import run
    from faultdiag.report.data import fetched_document, format_fetched

    folder, patterns = out or Path("data") / name, only or []
    try:
        with _bar() as progress:
            fetched = run.fetch(
                name, out=folder, only=patterns, base_url=base_url, jobs=jobs, progress=progress
            )
    except KeyboardInterrupt:
        again = _again(name, folder, patterns, base_url, jobs)
        raise stop(f"interrupted; continue with: {again}", INTERRUPTED) from None
    if as_json:
        show(json.dumps(fetched_document(fetched), indent=2, ensure_ascii=False))
    else:
        show(format_fetched(fetched))
    if fetched.failed:
        failed, every = len(fetched.failed), len(fetched.files)
        raise stop(
            f"error: {failed} of {counted(every, 'file')} could not be fetched; see their reasons",
            1,
        )


def _again(name: str, out: Path, only: list[str], base_url: str | None, jobs: int) -> str:
    """Return the command line that continues a download."""
    words = ["faultdiag", "fetch", name, "--out", str(out)]
    words += [word for pattern in only for word in ("--only", pattern)]
    words += ["--base-url", base_url] if base_url else []
    words += ["--jobs", str(jobs)] if jobs != JOBS else []
    return shlex.join(words)


@contextmanager
def _bar() -> Iterator[Callable[[int, int, int], None]]:
    """Yield what moves a bar of files, with megabytes behind it."""
    from tqdm import tqdm

    with tqdm(desc="fetching", unit="file", disable=None) as bar:

        def move(done: int, every: int, received: int) -> None:
            bar.total = every
            bar.set_postfix_str(f"{received / 1e6:.1f} MB", refresh=False)
            bar.update(done - bar.n)
            bar.refresh()

        yield move
