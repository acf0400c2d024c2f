"""`faultdiag protocol`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from faultdiag.cli.exits import INTERRUPTED, say, show, stop
from faultdiag.cli.options import (
    AsJson,
    ConfigOption,
    ConfigPath,
    DaskAddress,
    Device,
    LogJson,
    OverrideRate,
    Quiet,
    Settings,
    as_text,
    config_path,
    with_override,
)
from faultdiag.errors import FaultdiagError


def protocol(
    config: ConfigPath = None,
    config_option: ConfigOption = None,
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
    override_rate: OverrideRate = False,
    shard: Annotated[
        str | None, typer.Option(help="i/n: only this share of the cells, for a cluster.")
    ] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Make the table of the cells that shards finished.")
    ] = False,
    dask: DaskAddress = None,
    quiet: Quiet = False,
    log_as_json: LogJson = False,
) -> None:
    """Compare models under several protocols and seeds, and write one table.

    Finished cells are kept: the same command continues an interrupted protocol.

    Example: faultdiag protocol configs/protocol_quick.yaml --jobs 2
    """
    from faultdiag.api import protocol as command
    from faultdiag.system.shards import parse_shard

    if merge and shard is not None:
        raise FaultdiagError("--merge and --shard are given; merge when all shards are done")
    if dask is not None and (merge or shard is not None or jobs is not None):
        other = "--merge" if merge else "--jobs" if shard is None else "--shard"
        raise FaultdiagError(
            f"--dask and {other} are given; the cluster's workers share out the cells, so leave "
            f"out {other}"
        )
    part = None if shard is None else parse_shard(shard)
    path = config_path(config, config_option)
    settings = with_override(settings, override_rate)
    folder = out or Path("runs") / path.stem
    try:
        plan = command.read(path, settings, seeds, folder, device)
        if part is not None:
            from faultdiag.protocol.run import run_shard

            cells, failed = run_shard(plan, part, out=folder, jobs=jobs, device=device)
            show(f"shard {shard}: {cells} cells in {folder}, {failed} of them failed")
            raise typer.Exit(1 if failed else 0)
        options: dict[str, Any] = {"jobs": jobs, "device": device, "merge": merge, "dask": dask}
        document = command.run(plan, out=folder, title=path.stem, **options)
    except KeyboardInterrupt:
        again = command.again(path, settings, seeds=seeds, jobs=jobs, out=folder, device=device)
        again += f" --dask {dask}" if dask else ""
        message = f"interrupted; finished cells are kept, continue with: {again}"
        raise stop(message, INTERRUPTED) from None
    show(as_text(document) if as_json else command.text(document), nl=as_json)
    say(f"wrote {', '.join(command.FILES)} to {folder}")
    if document["failures"]:
        raise stop(f"{len(document['failures'])} cells failed; the table says why", 1)
