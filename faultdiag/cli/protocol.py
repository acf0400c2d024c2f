"""`faultdiag protocol`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from faultdiag.errors import FaultdiagError, counted

if TYPE_CHECKING:
    from faultdiag.protocol.plan import Plan
    from faultdiag.system.cluster import Shard


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
    from faultdiag.system.cluster import parse_shard

    _require_compatible(merge=merge, shard=shard, jobs=jobs, dask=dask)
    part = None if shard is None else parse_shard(shard)
    path = config_path(config, config_option)
    settings = with_override(settings, override_rate)
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
