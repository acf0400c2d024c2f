"""The commands from a config to a run: check, prepare, train, adapt, protocol."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from faultdiag.cli.exits import INTERRUPTED, say, show, stop
from faultdiag.cli.options import (
    AsJson,
    ConfigChoice,
    DaskAddress,
    Device,
    Glob,
    Merge,
    OverrideRate,
    Progress,
    Reading,
    Settings,
    ShardOf,
    as_text,
)
from faultdiag.errors import FaultdiagError, counted
from faultdiag.system.processes import without_collection

if TYPE_CHECKING:
    from faultdiag.protocol.plan import Plan
    from faultdiag.system.cluster import Shard
    from faultdiag.training.session import Run


# What lets an adapted model pass that the guard refuses.
KEEP = "transfer.guard=none"


def check(*, choice: ConfigChoice, progress: Progress) -> None:
    """Check files, labels, rates, windows and model before training.

    Example: faultdiag check configs/demo.yaml
    """
    from faultdiag.api.check import check_config

    show(check_config(choice.load()))


def prepare(*, choice: ConfigChoice, progress: Progress) -> None:
    """Run the preprocessing stage alone.

    Example: faultdiag prepare configs/demo.yaml
    """
    from faultdiag.api.check import prepare_config

    show(prepare_config(choice.load()))


def train(
    *,
    choice: ConfigChoice,
    run: Annotated[
        Path | None, typer.Option(help="Run folder; by default runs/<config's name>.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace that run.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue that run.")] = False,
    device: Device = "auto",
    progress: Progress,
) -> None:
    """Prepare if needed, train, evaluate on the test part, write the run folder.

    Example: faultdiag train configs/demo.yaml --set train.epochs=5
    """
    config = choice.load()
    folder = run or Path("runs") / choice.path.stem
    again = ["--overwrite" if overwrite else "--resume"]

    with without_collection(freeze=True):
        from faultdiag.api.train import train_all
        from faultdiag.report.training import training_text
        from faultdiag.training.run_folder import train_command

    try:
        result = train_all(
            config,
            run=folder,
            device=device,
            overwrite=overwrite,
            resume=resume,
            tell=say,
            on_begun=lambda: again.__setitem__(0, "--resume"),
        )
    except KeyboardInterrupt:
        flags = again if device == "auto" else [*again, "--device", device]
        command = train_command(choice.path, choice.changes, folder, *flags)
        raise stop(f"interrupted; continue with: {command}", INTERRUPTED) from None
    show(training_text(result))
    _require_adapted(getattr(result, "runs", [result]))


def _require_adapted(runs: Iterable["Run"]) -> None:
    """End with an error where the guard refused an adapted model, with the command to keep it."""
    from faultdiag.training.run_folder import train_command

    for run in runs:
        if run.refused:
            keep = train_command(run.folder / "config.yaml", [KEEP], run.folder, "--resume")
            raise stop(f"{run.refused}; to keep the adapted model all the same: {keep}", 1)


def adapt(
    run: Annotated[Path, typer.Argument(help="Run folder or checkpoint.")],
    paths: Annotated[list[Path], typer.Argument(help="Unlabelled recordings, folders, manifests.")],
    *,
    out: Annotated[Path, typer.Option(help="Run folder to write.")],
    method: Annotated[
        str | None, typer.Option(help="mk_mmd_mcc, adabn, shot, …; by default chosen by the data.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Config of the source data; by default the run's own.")
    ] = None,
    settings: Settings = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Number of epochs to adapt.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Keep the model even if the agreement falls.")
    ] = False,
    reading: Reading,
    pattern: Glob = None,
    override_rate: OverrideRate = False,
    device: Device = "auto",
    as_json: AsJson = False,
    progress: Progress,
) -> None:
    """Adapt a run to unlabelled recordings of another machine or condition.

    Example: faultdiag adapt runs/demo new_recordings --out runs/adapted
    """
    with without_collection(freeze=True):
        from faultdiag.api.adapt import refused_text, try_adapt
        from faultdiag.config.schema import load_config
        from faultdiag.report.training import adapted_text

    chosen = None if config is None else load_config(config, settings or [])
    if settings and config is None:
        raise stop("error: --set changes a config; give that too, with --config RUN/config.yaml", 1)
    adapted = try_adapt(
        run,
        paths,
        out=out,
        method=method,
        config=chosen,
        settings={},
        epochs=epochs,
        force=force,
        request=reading.request(override_rate=override_rate),
        pattern=pattern,
        device=device,
    )
    show(as_text(adapted.metrics) if as_json else adapted_text(adapted))
    if adapted.refused:
        raise stop(f"error: {refused_text(adapted)}", 1)


def protocol(
    *,
    choice: ConfigChoice,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, help="Number of seeds; by default the config's, or 5."),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Cells at a time; by default the number of cores, or 1 on CUDA."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder; by default runs/<config's name>.")
    ] = None,
    device: Device = "auto",
    as_json: AsJson = False,
    shard: ShardOf = None,
    merge: Merge = False,
    dask: DaskAddress = None,
    progress: Progress,
) -> None:
    """Compare models under several protocols and seeds, and write one table.

    Finished cells are kept: the same command continues an interrupted protocol.

    Example: faultdiag protocol configs/protocol_quick.yaml --jobs 2
    """
    from faultdiag.api import protocol as command
    from faultdiag.system.cluster import parse_shard

    _require_compatible(merge=merge, shard=shard, jobs=jobs, dask=dask)
    part = None if shard is None else parse_shard(shard)
    path, settings = choice.path, choice.changes
    folder = out or Path("runs") / path.stem
    try:
        plan = command.read(path, settings, seeds, folder, device)
        if part is not None:
            raise _run_shard(plan, part, f"shard {shard}", out=folder, jobs=jobs, device=device)
        options: dict[str, Any] = {"jobs": jobs, "device": device, "merge": merge, "dask": dask}
        document = command.run(plan, out=folder, title=path.stem, **options)
    except KeyboardInterrupt:
        terms: dict[str, Any] = {"seeds": seeds, "jobs": jobs, "device": device, "dask": dask}
        again = command.again(path, settings, out=folder, **terms)
        message = f"interrupted; finished cells are kept, continue with: {again}"
        raise stop(message, INTERRUPTED) from None
    show(as_text(document) if as_json else command.text(document), nl=as_json)
    say(f"wrote {', '.join(command.FILES)} to {folder}")
    if document["failures"]:
        raise stop(f"{counted(len(document['failures']), 'cell')} failed; the table says why", 1)


def _require_compatible(
    *, merge: bool, shard: str | None, jobs: int | None, dask: str | None
) -> None:
    """Refuse options that exclude each other."""
    if merge and shard is not None:
        raise FaultdiagError("--merge and --shard are given; merge when all shards are done")
    others = {"--merge": merge, "--shard": shard is not None, "--jobs": jobs is not None}
    other = next((name for name, is_given in others.items() if is_given), None)
    if dask is not None and other:
        raise FaultdiagError(
            f"--dask and {other} are given; the cluster's workers share out the cells, so leave "
            f"out {other}"
        )


def _run_shard(
    plan: "Plan", part: "Shard", title: str, *, out: Path, jobs: int | None, device: str
) -> typer.Exit:
    """Run the cells of one shard, say how many there were, and return the exit to raise."""
    from faultdiag.protocol.run import run_shard

    cells, failed = run_shard(plan, part, out=out, jobs=jobs, device=device)
    show(f"{title}: {counted(cells, 'cell')} in {out}, {failed} of them failed")
    return typer.Exit(1 if failed else 0)
