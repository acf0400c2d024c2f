"""The commands about recordings, before anything is trained: init, fetch, simulate, inspect."""

import json
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from faultdiag.cli.exits import INTERRUPTED, say, show, stop
from faultdiag.cli.options import (
    AsJson,
    OverrideRate,
)
from faultdiag.errors import counted

# What downloads is imported when it is called.

JOBS = 4


def init(
    name: Annotated[
        str | None, typer.Argument(help="Name of a starter; without it, list them.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write; NAME.yaml if not given.")] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="Guess it from this folder or manifest instead.")
    ] = None,
    sampling_rate: Annotated[
        float | None, typer.Option(help="Sampling rate in Hz, for recordings that don't state it.")
    ] = None,
    channel: Annotated[
        str | None, typer.Option(help="Channel to train on, or several: acc_x,acc_y.")
    ] = None,
    override_rate: OverrideRate = False,
) -> None:
    """Write a commented starter config, or list the starters.

    Example: faultdiag init --from my_recordings --out my.yaml
    """
    from faultdiag.config import load

    if source is not None or sampling_rate is not None:
        from faultdiag.guess.guessing import init_from

        names = [part.strip() for part in (channel or "").split(",") if part.strip()]
        text = init_from(
            name, source, out, sampling_rate, override_rate=override_rate, channels=names
        )
        show(text)
        return
    if name is None:
        show(load.starter_lines())
        return
    show(f"wrote {load.write_starter(name, out or Path(f'{name}.yaml'))}")


def simulate(
    out: Annotated[Path, typer.Option(help="Folder for the recordings.")],
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of each recording.")] = 10.0,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal files.")] = 0,
    load: Annotated[list[int] | None, typer.Option(help="Motor load in hp, 0 to 3.")] = None,
    size: Annotated[list[str] | None, typer.Option(help="Fault size: 007, 014, 021.")] = None,
    severity: Annotated[float, typer.Option(min=0.0, help="Strength of the faults.")] = 1.0,
    bearing: Annotated[
        str, typer.Option(help="6205, 6204, …, or a geometry: balls,ball_diameter,pitch_diameter.")
    ] = "6205",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier simulation there.")
    ] = False,
) -> None:
    """Write CWRU-style .mat recordings with true bearing physics.

    Example: faultdiag simulate --out data/simulated --load 0 --load 1
    """
    from tqdm import tqdm

    from faultdiag.simulation.folder import simulate_folder

    written = simulate_folder(
        out,
        seconds=seconds,
        seed=seed,
        loads=load or [0],
        sizes=size or ["007", "014", "021"],
        severity=severity,
        bearing=bearing,
        overwrite=overwrite,
        progress=lambda todo: tqdm(todo, "simulating", unit="recording", disable=None),
    )
    show(f"wrote {counted(len(written), 'simulated recording')} to {out}")


def inspect(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Recordings, or folders of them.")
    ] = None,
    sampling_rate: Annotated[
        float | None, typer.Option(help="Sampling rate in Hz, instead of the file's.")
    ] = None,
    rpm: Annotated[
        float | None, typer.Option(help="Shaft speed in rpm, instead of the file's.")
    ] = None,
    channel: Annotated[str | None, typer.Option(help="This channel only.")] = None,
    bearing: Annotated[
        str | None,
        typer.Option(help="6205, 6203, …, or balls,ball_diameter,pitch_diameter[,angle_deg]."),
    ] = None,
    as_json: AsJson = False,
    plot: Annotated[Path | None, typer.Option(help="Draw signal and spectra to a PNG.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="Take class, rate, speed and bearing from this config.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Read all samples of a long recording.")
    ] = False,
) -> None:
    """Show what a recording holds: variables, rate, statistics, envelope peaks.

    Of a folder, one line for each recording.

    Example: faultdiag inspect data/cwru/105.mat --plot 105.png
    """
    from faultdiag.api.inspect import inspect_paths

    if not files and config is None:
        raise typer.BadParameter("name recordings, a folder, or a config with --config")
    inspect_paths(
        files or [],
        config=config,
        full=full,
        sampling_rate=sampling_rate,
        rpm=rpm,
        channel=channel,
        bearing=bearing,
        as_json=as_json,
        plot=plot,
        echo=typer.echo,
        say=say,
    )


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
    from faultdiag.fetch import download
    from faultdiag.report.data import fetched_document, format_fetched

    folder, patterns = out or Path("data") / name, only or []
    try:
        with _bar() as progress:
            fetched = download.fetch(
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
