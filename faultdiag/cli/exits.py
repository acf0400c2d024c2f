"""How a command ends: exit codes, messages, interrupts; and --version."""

import errno
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from faultdiag.errors import FaultdiagError

INTERRUPTED = 130

# Our own files are written by functions that name them; what is left is standard output.
_OUTPUT_FAILS = {errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


class Group(TyperGroup):
    """Commands of which each turns what the user can mend into one message and exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command; an interrupt or SIGTERM ends it with exit code 130."""
        before = signal.signal(signal.SIGTERM, _interrupt)
        try:
            return super().invoke(ctx)
        except FaultdiagError as error:
            raise stop(f"error: {error}", 1) from error
        except KeyboardInterrupt as error:
            raise stop("interrupted", INTERRUPTED) from error
        except OSError as error:
            if error.errno not in _OUTPUT_FAILS or error.filename is not None:
                raise
            raise _output_failed(error) from error
        finally:
            signal.signal(signal.SIGTERM, before)


def say(text: str) -> None:
    """Write a message to stderr."""
    typer.echo(text, err=True)


def stop(message: str, code: int) -> typer.Exit:
    """Write a message to stderr and give the exit to raise."""
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


# Also in pyproject.toml. To look it up among the installed packages takes a tenth of a second.
VERSION = "0.1.0"


def add_version(app: typer.Typer) -> None:
    """Give the program the option that prints its version; nothing slow is imported for it."""

    @app.callback()
    def program(
        version: Annotated[
            bool,
            typer.Option("--version", callback=_show, is_eager=True, help="Print the version."),
        ] = False,
    ) -> None:
        del version  # its callback has ended the program


def _show(asked: bool) -> None:
    if asked:
        typer.echo(f"faultdiag {VERSION}")
        raise typer.Exit
