"""How a command ends: exit codes, messages, interrupts; and --version."""

import errno
import logging
import os
import signal
import sys
from contextlib import nullcontext, suppress
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from faultdiag import __version__
from faultdiag.cli.stderr import be_heard, own_stderr
from faultdiag.errors import FaultdiagError, printable_lines

INTERRUPTED = 130

# What Python's tempfile says where no folder for temporary files can be written to.
_NO_TEMPORARY = "No usable temporary directory"
# Our own files are written by functions that name them; what is left is standard output.
_OUTPUT_FAILS = {errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


class Group(TyperGroup):
    """The commands: a problem that the user can solve is one message and exit code 1."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands in their sections, with the whole first line of each help."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is None or command.hidden:
                continue
            section = getattr(command, "rich_help_panel", None) or "Commands"
            first = (command.help or "").strip().split("\n")[0]
            sections.setdefault(str(section), []).append((name, first))
        for section, rows in sections.items():
            with formatter.section(section):
                formatter.write_dl(rows)

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands in the order of their registration."""
        del ctx
        return list(self.commands)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; an interrupt or SIGTERM ends it with exit code 130."""
        write_messages()
        before = signal.signal(signal.SIGTERM, _interrupt)
        try:
            with own_stderr():
                return self._invoke(ctx)
        finally:
            signal.signal(signal.SIGTERM, before)

    def _invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except FaultdiagError as error:
            raise stop(f"error: {error.in_options}", 1) from error
        except KeyboardInterrupt as error:
            raise stop("interrupted", INTERRUPTED) from error
        except OSError as error:
            if str(error.strerror).startswith(_NO_TEMPORARY):
                text = f"error: {error.strerror}; free some space there, or name another by TMPDIR"
                raise stop(text, 1) from error
            if error.errno not in _OUTPUT_FAILS or error.filename is not None:
                raise
            raise _output_failed(error) from error


def show(text: str, *, nl: bool = True) -> None:
    """Write a result to stdout, with escapes for what names from files would do to a terminal."""
    typer.echo(printable_lines(text), nl=nl)


def say(text: str) -> None:
    """Write a message to stderr."""
    typer.echo(printable_lines(text), err=True)


class Messages(logging.Handler):
    """Writes notes and warnings of the package to stderr, above a progress bar that is shown."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message."""
        prefix = "warning: " if record.levelno >= logging.WARNING else ""
        bars = sys.modules.get("tqdm")
        with nullcontext() if bars is None else bars.tqdm.external_write_mode():
            sys.stderr.write(f"{prefix}{record.getMessage()}\n")


def write_messages() -> None:
    """Write the messages of the package to stderr from here on."""
    logger = logging.getLogger("faultdiag")
    logger.setLevel(logging.INFO)
    if not any(isinstance(handler, Messages) for handler in logger.handlers):
        logger.addHandler(Messages())


def stop(message: str, code: int) -> typer.Exit:
    """Write a message to stderr and return the exit to raise."""
    be_heard()
    say(message)
    return typer.Exit(code)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


def _output_failed(error: OSError) -> typer.Exit:
    # What is buffered goes nowhere, or Python fails on it once more when it ends.
    with suppress(OSError, ValueError), Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    if error.errno == errno.EPIPE:
        # The reader of our output (head, less) went away: nothing is wrong.
        return typer.Exit(0)
    return stop(f"error: cannot write to standard output: {error.strerror}", 1)


def add_version(app: typer.Typer) -> None:
    """Add the option that prints the version; nothing slow is imported for it."""

    @app.callback()
    def program(
        version: Annotated[
            bool,
            typer.Option("--version", callback=_show, is_eager=True, help="Print the version."),
        ] = False,
    ) -> None:
        del version  # its callback has ended the program


def _show(version: bool) -> None:
    if version:
        typer.echo(f"faultdiag {__version__}")
        raise typer.Exit
