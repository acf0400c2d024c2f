"""The command line: every command parses, calls one function and prints.

Results go to stdout, progress and messages to stderr. Exit codes: 0 done, 1 a problem that the
user can solve (one message, no traceback), 2 usage, 130 interrupted.
"""

import os
from collections.abc import Callable

import typer

from faultdiag.cli.data import fetch, init, inspect, simulate
from faultdiag.cli.exits import Group, add_version
from faultdiag.cli.lists import attention, bearings, models, schema
from faultdiag.cli.options import with_records
from faultdiag.cli.training import adapt, check, prepare, protocol, train
from faultdiag.cli.use import evaluate, explain, export, predict, report, trend, watch
from faultdiag.system.processes import tune_openmp

# torch, numpy and pydantic take seconds to import: commands import what they call.

tune_openmp(os.environ)

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train networks to diagnose bearing faults from vibration recordings, and use them.",
)
add_version(app)

# The sections of `faultdiag --help`, in its order.
SECTIONS: dict[str, tuple[Callable[..., None], ...]] = {
    "Data": (init, fetch, simulate, inspect),
    "Training": (check, prepare, train, adapt, protocol),
    "Use": (evaluate, predict, explain, report, trend, export, watch),
    "Lists": (models, attention, bearings, schema),
}
NAMES: dict[Callable[..., None], str] = {evaluate: "eval"}

for section, commands in SECTIONS.items():
    for command in commands:
        app.command(NAMES.get(command), rich_help_panel=section)(with_records(command))


def main() -> None:
    """Entry point of the ``faultdiag`` command."""
    app()
