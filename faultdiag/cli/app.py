"""The commands of the command line.

Results go to stdout, progress and messages to stderr. Exit codes: 0 done, 1 something the user
can mend (one message, no traceback), 2 usage, 130 interrupted.
"""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from faultdiag.cli.bearings import bearings
from faultdiag.cli.exits import INTERRUPTED, Group, add_version, say, stop
from faultdiag.cli.fetch import fetch
from faultdiag.cli.options import AsJson, ConfigFile, Device, Settings, as_text
from faultdiag.cli.recordings import init, inspect, simulate
from faultdiag.errors import FaultdiagError
from faultdiag.system.processes import tune_openmp

# torch, numpy and pydantic take seconds to import: commands import what they call.

tune_openmp(os.environ)

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Train networks to diagnose bearing faults from vibration recordings, and use them.",
)
add_version(app)


for command in (init, fetch, simulate, inspect, bearings):
    app.command()(command)


@app.command()
def check(config: ConfigFile, settings: Settings = None) -> None:
    """Say everything that can be known before training.

    Example: faultdiag check --config configs/demo.yaml
    """
    from faultdiag.api.check import check_config
    from faultdiag.config.schema import load_config

    typer.echo(check_config(load_config(config, settings or [])))


@app.command()
def prepare(config: ConfigFile, settings: Settings = None) -> None:
    """Run the preprocessing stage alone.

    Example: faultdiag prepare --config configs/demo.yaml
    """
    from faultdiag.api.check import prepare_config
    from faultdiag.config.schema import load_config

    typer.echo(prepare_config(load_config(config, settings or [])))


@app.command()
def train(
    config: ConfigFile,
    settings: Settings = None,
    run: Annotated[Path | None, typer.Option(help="Run folder; runs/<config's name>.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace that run.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with that run.")] = False,
    device: Device = "auto",
) -> None:
    """Prepare if needed, train, evaluate on the test part, write the run folder.

    Example: faultdiag train --config configs/demo.yaml --set train.epochs=5
    """
    from faultdiag.config.schema import load_config

    parsed = load_config(config, settings or [])
    folder = run or Path("runs") / config.stem
    go_on = ["--overwrite" if overwrite else "--resume"]

    from faultdiag.api.folds import train_all
    from faultdiag.training.run_folder import train_command

    try:
        text = train_all(
            parsed,
            run=folder,
            device=device,
            overwrite=overwrite,
            resume=resume,
            tell=say,
            on_begun=lambda: go_on.__setitem__(0, "--resume"),
        )
    except KeyboardInterrupt:
        flags = go_on if device == "auto" else [*go_on, "--device", device]
        command = train_command(config, settings or [], folder, *flags)
        raise stop(f"interrupted; go on with: {command}", INTERRUPTED) from None
    typer.echo(text)


@app.command("eval")
def evaluate(
    run: Annotated[Path, typer.Argument(help="Run folder or checkpoint.")],
    part: Annotated[str, typer.Option(help="train, valid or test.")] = "test",
    config: Annotated[Path | None, typer.Option(help="Evaluate on other data.")] = None,
    settings: Settings = None,
    split: Annotated[
        Path | None, typer.Option(help="Run or split.json whose split to use.")
    ] = None,
    snr: Annotated[list[float] | None, typer.Option(help="Add white noise, dB.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw accuracy over --snr to a PNG.")] = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Print the metrics of a trained run, on its own split or on other data.

    Example: faultdiag eval runs/demo --snr -4 --snr 0
    """
    from faultdiag.api.evaluate import evaluate_and_draw
    from faultdiag.config.schema import load_config
    from faultdiag.report.training import evaluation_text

    if settings and config is None:
        raise FaultdiagError(
            "--set changes the config of other data; give that config too, with --config"
        )
    other = load_config(config, settings or []) if config else None
    options: dict[str, Any] = {"config": other, "split": split, "snr": snr or [], "plot": plot}
    result = evaluate_and_draw(run, part, **options, device=device)
    typer.echo(as_text(result) if as_json else evaluation_text(result))


@app.command()
def predict(
    run: Annotated[Path, typer.Argument(help="Run folder or checkpoint.")],
    paths: Annotated[
        list[Path], typer.Argument(help="Recordings, folders, manifests; -: a list on stdin.")
    ],
    out: Annotated[Path | None, typer.Option(help="Write the rows to this file.")] = None,
    windows: Annotated[
        Path | None, typer.Option(help="Also write a row for each window to this file.")
    ] = None,
    pattern: Annotated[
        str | None, typer.Option("--glob", help="Which files of folders, such as '*_DE.mat'.")
    ] = None,
    as_json: AsJson = False,
    channel: Annotated[str | None, typer.Option(help="Channel to read.")] = None,
    sampling_rate: Annotated[float | None, typer.Option(help="Hz, where nothing says it.")] = None,
    rpm: Annotated[float | None, typer.Option(help="Shaft speed, where nothing says it.")] = None,
    device: Device = "auto",
    jobs: Annotated[int, typer.Option(min=1, help="Processes that read files.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the rows of --out.")] = False,
) -> None:
    """Give one diagnosis for each recording.

    Example: faultdiag predict runs/demo new_recordings --out diagnoses.csv
    """
    from faultdiag.prediction import predict as predicting

    asked: dict[str, Any] = {"channel": channel, "sampling_rate": sampling_rate, "rpm": rpm}
    asked |= {"as_json": as_json, "device": device, "jobs": jobs, "resume": resume}
    asked |= {"pattern": pattern, "windows": windows}
    try:
        found, failed = predicting.predict_paths(run, paths, out=out, **asked)
    except KeyboardInterrupt:
        kept = out is not None and predicting.is_begun(out)
        how = "; finished rows are kept: go on with the same command and --resume" if kept else ""
        raise stop(f"interrupted{how}", INTERRUPTED) from None
    if out is not None:
        typer.echo(f"wrote {out}: {found} recordings, {found - failed} of them diagnosed")
    if failed:
        raise stop(f"{failed} of {found} recordings could not be diagnosed; see their rows", 1)


@app.command()
def protocol(
    config: ConfigFile,
    settings: Settings = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="How many; else what the config says, or 5.")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Cells at a time; the number of cores, or 1 on CUDA."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder; runs/<config's name>.")] = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Compare models under several protocols and seeds, and write one table.

    Finished cells are kept: the same command goes on where it was interrupted.

    Example: faultdiag protocol --config configs/protocol_quick.yaml --jobs 2
    """
    from faultdiag.api import protocol as command

    folder = out or Path("runs") / config.stem
    try:
        plan = command.read(config, settings or [], seeds, folder, device)
        document = command.run(plan, out=folder, jobs=jobs, device=device, title=config.stem)
    except KeyboardInterrupt:
        again = command.again(
            config, settings or [], seeds=seeds, jobs=jobs, out=folder, device=device
        )
        message = f"interrupted; finished cells are kept, go on with: {again}"
        raise stop(message, INTERRUPTED) from None
    typer.echo(as_text(document) if as_json else command.text(document), nl=as_json)
    say(f"wrote {', '.join(command.FILES)} to {folder}")
    if document["failures"]:
        raise stop(f"{len(document['failures'])} cells failed; the table says why", 1)


@app.command()
def models(as_json: AsJson = False) -> None:
    """List the networks and baselines: options, parameters, multiply-adds, reference.

    Example: faultdiag models --json
    """
    from faultdiag.models.describe import describe, format_description

    rows = describe()
    typer.echo(as_text(rows) if as_json else format_description(rows))


@app.command()
def attention(as_json: AsJson = False) -> None:
    """List the attention blocks: options, parameters, multiply-adds, reference.

    Example: faultdiag attention --json
    """
    from faultdiag.attention.describe import describe, format_description

    rows = describe()
    typer.echo(as_text(rows) if as_json else format_description(rows))


def main() -> None:
    """Entry point of the ``faultdiag`` command."""
    app()
