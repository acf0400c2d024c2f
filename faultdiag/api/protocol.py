"""Run a protocol: plan, cells, table."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from faultdiag.config.schema import listed
from faultdiag.documents import Json
from faultdiag.errors import FaultdiagError
from faultdiag.protocol.plan import Plan, read_plan
from faultdiag.system.files import sweep, write_json, write_text
from faultdiag.system.locks import own_folder

FILES = ("table.md", "table.csv", "cells.csv", "results.json", "table.tex", "table.png")


def read(config: Path, settings: Sequence[str], seeds: int | None, out: Path, device: str) -> Plan:
    """Return the plan of a config once everything that can be known of it has been checked.

    Raises
    ------
    FaultdiagError
        For every config and network of the plan that is not as it should be, an unknown device,
        or a folder that is something else's.
    """
    plan = read_plan(config, settings, seeds)
    _require_ours(out)

    from faultdiag.inference import require_snr, select_device

    select_device(device)
    for level in plan.noise:
        require_snr(level)
    _require_networks(plan, str(config))
    return plan


def _require_ours(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise FaultdiagError(f"--out {out} is a file; give a folder")
    if (out / "environment.json").exists() or (out / "best.pt").exists():
        raise FaultdiagError(
            f"--out {out} is the run folder of a training; give another, such as --out "
            f"{out.with_name(f'{out.name}-protocol')}"
        )


def _require_networks(plan: Plan, source: str) -> None:
    """Build every network of the plan once, and refuse all that can't be built in one error."""
    from faultdiag.training.specs import resolve_spec

    problems: list[str] = []
    tried = []
    for cell in plan.cells:
        config = cell.config
        what = (config.model, config.data.channels, config.window.length, config.data.sampling_rate)
        if what in tried:
            continue
        tried.append(what)
        try:
            resolve_spec(config)
        except FaultdiagError as error:
            problems += [f"protocol: {cell.model}: {line}" for line in str(error).splitlines()]
    if problems:
        raise FaultdiagError(listed(source, list(dict.fromkeys(problems))))


def run(
    plan: Plan,
    *,
    out: Path,
    jobs: int | None = None,
    device: str = "auto",
    title: str = "Comparison",
    merge: bool = False,
    dask: str | None = None,
) -> Json:
    """Run the cells of a plan that are not finished yet, write the table and return its document.

    Parameters
    ----------
    out
        The folder of the results; finished cells are kept in ``cells.jsonl`` there.
    jobs
        Cells at a time; the number of cores, or one on a CUDA device.
    merge
        Run nothing: make the table of the cells that shards finished.
    dask
        Address of a Dask scheduler, whose workers run the cells.

    Raises
    ------
    FaultdiagError
        If the folder can't be written to, another command is writing it, or a cell is missing in
        `merge`. A cell that fails is a row and no error.
    """
    from faultdiag.protocol.run import finish
    from faultdiag.report.protocol import document

    with own_folder(out, "give another folder with --out"):
        sweep(out)
        how: Json = {"jobs": jobs, "device": device, "merge": merge, "dask": dask}
        results, data = finish(plan, out=out, **how)
        made = document(plan, results, data, title)
        _write(made, out)
    return made


def _write(document: Json, out: Path) -> None:
    from faultdiag.report import figures, protocol

    write_json(out / "results.json", document)
    write_text(out / "cells.csv", protocol.cells_csv(document))
    write_text(out / "table.csv", protocol.table_csv(document))
    figures.protocol_figure(document["rows"], out / "table.png")
    if any(row["snr"] is not None and row["cells"] for row in document["rows"]):
        figures.protocol_noise_figure(document["rows"], out / "noise.png")
    else:
        (out / "noise.png").unlink(missing_ok=True)
    write_text(out / "table.tex", protocol.latex(document))
    write_text(out / "table.md", protocol.markdown(document))


def text(document: Json) -> str:
    """Return the output of the command: ``table.md``."""
    from faultdiag.report import protocol

    return protocol.markdown(document)


def again(
    config: Path,
    settings: Sequence[str],
    *,
    seeds: int | None,
    jobs: int | None,
    out: Path,
    device: str,
    dask: str | None = None,
) -> str:
    """Return the command line that continues a comparison."""
    words = ["faultdiag", "protocol", "--config", str(config)]
    words += [word for setting in settings for word in ("--set", setting)]
    options = {
        "--seeds": seeds,
        "--jobs": jobs,
        "--out": out,
        "--device": None if device == "auto" else device,
        "--dask": dask or None,
    }
    for name, value in options.items():
        words += [] if value is None else [name, str(value)]
    return shlex.join(words)
