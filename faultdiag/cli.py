"""The command line: each command parses, calls one function and prints.

Results go to stdout, progress and messages to stderr. Exit codes: 0 done, 1 something the user
can mend (one message, no traceback), 2 usage, 130 interrupted.
"""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from faultdiag.errors import FaultdiagError
from faultdiag.exits import INTERRUPTED, Group, say, stop

# torch, numpy and pydantic take seconds to import: commands import what they call.

# Before torch is imported: waiting OpenMP threads sleep instead of spinning. On a machine that is
# busy with something else, spinning makes a training step ten times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Train networks to diagnose bearing faults from vibration recordings, and use them.",
)


def _json(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)


ConfigFile = Annotated[Path, typer.Option("--config", help="YAML config.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="Override one setting: --set train.epochs=5.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def init(
    name: Annotated[str | None, typer.Argument(help="A starter; none: list them.")] = None,
    out: Annotated[Path | None, typer.Option(help="File to write; NAME.yaml if not given.")] = None,
) -> None:
    """Write a commented starter config, or list the starters.

    Example: faultdiag init demo --out my.yaml
    """
    from faultdiag import starters

    if name is None:
        typer.echo(starters.listing())
        return
    typer.echo(f"wrote {starters.write(name, out or Path(f'{name}.yaml'))}")


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(help="Folder for the recordings.")],
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of each recording.")] = 10.0,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal files.")] = 0,
    load: Annotated[list[int] | None, typer.Option(help="Motor load in hp, 0 to 3.")] = None,
    size: Annotated[list[str] | None, typer.Option(help="Fault size: 007, 014, 021.")] = None,
    severity: Annotated[float, typer.Option(min=0.0, help="Strength of the faults.")] = 1.0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier simulation there.")
    ] = False,
) -> None:
    """Write CWRU-style .mat recordings with true bearing physics.

    Example: faultdiag simulate --out data/simulated --load 0 --load 1
    """
    from tqdm import tqdm

    from faultdiag.simulation import simulate_folder

    written = simulate_folder(
        out,
        seconds=seconds,
        seed=seed,
        loads=load or [0],
        sizes=size or ["007", "014", "021"],
        severity=severity,
        overwrite=overwrite,
        progress=lambda todo: tqdm(todo, "simulating", unit="recording", disable=None),
    )
    typer.echo(f"wrote {len(written)} simulated recordings to {out}")


@app.command()
def inspect(
    files: Annotated[list[Path], typer.Argument(help="Recordings.")],
    sampling_rate: Annotated[float | None, typer.Option(help="Hz, in place of the file's.")] = None,
    rpm: Annotated[float | None, typer.Option(help="Shaft speed, likewise.")] = None,
    channel: Annotated[str | None, typer.Option(help="This channel only.")] = None,
    bearing: Annotated[
        str | None,
        typer.Option(help="6205, 6203, …, or balls,ball_diameter,pitch_diameter[,angle_deg]."),
    ] = None,
    as_json: AsJson = False,
    plot: Annotated[Path | None, typer.Option(help="Draw signal and spectra to a PNG.")] = None,
) -> None:
    """Show what a recording holds: variables, rate, statistics, envelope peaks.

    Example: faultdiag inspect data/cwru/105.mat --plot 105.png
    """
    from faultdiag.inspection import format_inspection, inspect_files
    from faultdiag.inspection_plot import plot_inspection

    if plot is not None and len(files) != 1:
        raise FaultdiagError(f"--plot draws one recording, {len(files)} were given")
    if plot is not None and plot.suffix.lower() != ".png":
        raise FaultdiagError(f"--plot is {plot}; a PNG is drawn, so give a name that ends in .png")
    options: dict[str, Any] = {
        "sampling_rate": sampling_rate,
        "rpm": rpm,
        "channel": channel,
        "bearing": bearing,
    }
    results, problems = inspect_files(files, **options)
    if as_json:
        typer.echo(_json(results))
    elif results:
        typer.echo("\n\n".join(format_inspection(result) for result in results))
    if plot is not None and results:
        plot_inspection(files[0], plot, **options)
        say(f"drew {plot}")
    if problems:
        raise FaultdiagError("\n".join(problems))


@app.command()
def check(config: ConfigFile, settings: Settings = None) -> None:
    """Say everything that can be known before training.

    Example: faultdiag check --config configs/demo.yaml
    """
    from faultdiag.checking import check_config
    from faultdiag.config import load_config

    typer.echo(check_config(load_config(config, settings or [])))


@app.command()
def prepare(config: ConfigFile, settings: Settings = None) -> None:
    """Run the preprocessing stage alone.

    Example: faultdiag prepare --config configs/demo.yaml
    """
    from faultdiag.checking import describe_prepared
    from faultdiag.config import load_config
    from faultdiag.preparing import prepare as prepare_config

    parsed = load_config(config, settings or [])
    prepared = prepare_config(parsed)
    typer.echo(describe_prepared(prepared, parsed.data.healthy))
    typer.echo(f"prepared in {prepared.folder}")


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
    from faultdiag.config import load_config

    parsed = load_config(config, settings or [])
    folder = run or Path("runs") / config.stem
    go_on = ["--overwrite" if overwrite else "--resume"]

    from faultdiag.checking import describe_prepared
    from faultdiag.training import report
    from faultdiag.training import run as running
    from faultdiag.training.folder import train_command

    def on_prepared(prepared: Any) -> None:
        say(describe_prepared(prepared, parsed.data.healthy))
        if resume and not (folder / "last.pt").exists():
            say(f"nothing to resume in {folder}: starting anew")

    try:
        finished = running.train(
            parsed,
            run=folder,
            device=device,
            overwrite=overwrite,
            resume=resume,
            on_prepared=on_prepared,
            on_begun=lambda: go_on.__setitem__(0, "--resume"),
        )
    except KeyboardInterrupt:
        flags = go_on if device == "auto" else [*go_on, "--device", device]
        command = train_command(config, settings or [], folder, *flags)
        raise stop(f"interrupted; go on with: {command}", INTERRUPTED) from None
    typer.echo(report.summary(finished))


@app.command("eval")
def evaluate(
    run: Annotated[Path, typer.Argument(help="Run folder or checkpoint.")],
    part: Annotated[str, typer.Option(help="train, valid or test.")] = "test",
    config: Annotated[Path | None, typer.Option(help="Evaluate on other data.")] = None,
    settings: Settings = None,
    snr: Annotated[list[float] | None, typer.Option(help="Add white noise, dB.")] = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Print the metrics of a trained run, on its own split or on other data.

    Example: faultdiag eval runs/demo --snr -4 --snr 0
    """
    from faultdiag.config import load_config
    from faultdiag.training import report

    if settings and config is None:
        raise FaultdiagError(
            "--set changes the config of other data; give that config too, with --config"
        )
    other = load_config(config, settings or []) if config else None
    result = report.evaluate_run(run, part, config=other, snr=snr or [], device=device)
    typer.echo(_json(result) if as_json else report.evaluation_text(result))


@app.command()
def predict(
    run: Annotated[Path, typer.Argument(help="Run folder or checkpoint.")],
    paths: Annotated[list[Path], typer.Argument(help="Recordings, or folders of them.")],
    out: Annotated[Path | None, typer.Option(help="Write the rows to this file.")] = None,
    as_json: AsJson = False,
    channel: Annotated[str | None, typer.Option(help="Channel to read.")] = None,
    sampling_rate: Annotated[float | None, typer.Option(help="Hz, where nothing says it.")] = None,
    rpm: Annotated[float | None, typer.Option(help="Shaft speed, where nothing says it.")] = None,
    device: Device = "auto",
) -> None:
    """Give one diagnosis for each recording.

    Example: faultdiag predict runs/demo new_recordings --out diagnoses.csv
    """
    from faultdiag import predicting

    found, failed = predicting.predict_paths(
        run,
        paths,
        out=out,
        as_json=as_json,
        channel=channel,
        sampling_rate=sampling_rate,
        rpm=rpm,
        device=device,
    )
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
    from faultdiag.protocol import command

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
    typer.echo(_json(document) if as_json else command.text(document), nl=as_json)
    say(f"wrote {', '.join(command.FILES)} to {folder}")
    if document["failures"]:
        raise stop(f"{len(document['failures'])} cells failed; the table says why", 1)


@app.command()
def models(as_json: AsJson = False) -> None:
    """List the networks: options, parameters, multiply-adds, reference.

    Example: faultdiag models --json
    """
    from faultdiag.models.describe import describe, format_description

    rows = describe()
    typer.echo(_json(rows) if as_json else format_description(rows))


@app.command()
def attention(as_json: AsJson = False) -> None:
    """List the attention blocks: options, parameters, multiply-adds, reference.

    Example: faultdiag attention --json
    """
    from faultdiag.attention.describe import describe, format_description

    rows = describe()
    typer.echo(_json(rows) if as_json else format_description(rows))


def main() -> None:
    """Entry point of the ``faultdiag`` command."""
    app()
