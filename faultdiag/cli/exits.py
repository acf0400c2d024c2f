"""The end of a command and its stderr: exit codes, messages, --quiet, --log-json."""

import errno
import io
import json
import logging
import os
import re
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, TextIO

import typer
from typer.core import TyperGroup

from faultdiag import __version__
from faultdiag.errors import FaultdiagError, printable, printable_lines
from faultdiag.system.terminal import in_one_line, keep_in_one_line

INTERRUPTED = 130

# What Python's tempfile says where no folder for temporary files can be written to.
_NO_TEMPORARY = "No usable temporary directory"
# Our own files are written by functions that name them; what is left is standard output.
_OUTPUT_FAILS = {errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
# What the system refuses about a file or folder that the user named, wherever it is noticed first.
_REFUSALS = {
    errno.EACCES: "choose one that you may use",
    errno.EPERM: "choose one that you may use",
    errno.EROFS: "choose one that may be written",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "name the file or folder that the links should lead to",
    errno.ENOTDIR: "one of the folders above it is a file; choose another name",
    errno.EIO: "check its disk",
    errno.ESTALE: "mount its disk again",
    errno.EMFILE: "allow more open files (ulimit -n)",
    errno.ENFILE: "close other programs",
}
# Seconds between two lines about the same progress.
EVERY = 1.0
# What tqdm writes: task: 42%|###   | 5/12 [00:01<00:02, 3.21recording/s, epoch 2], or 5file [00:01]
_BAR = re.compile(
    r"\r(?:(?P<task>[^\r]*?): )?\s*(?:\d+%\|.*\| )?(?P<done>\d+)(?:/(?P<total>\d+)|[^\s\d/]\S*) "
    r"\[[^,\]]*(?:, [^,\]]*)?(?:, (?P<note>.*))?\]"
)
_LEVELS = ("error", "warning")


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
        keep_in_one_line(sys.argv[1:])
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
        except (ModuleNotFoundError, OSError) as error:
            if (end := _end(error)) is None:
                raise
            raise end from error


def show(text: str, *, nl: bool = True) -> None:
    """Write a result to stdout, with escapes for what names from files would do to a terminal."""
    typer.echo(printable_lines(in_one_line(text)), nl=nl)


def say(text: str) -> None:
    """Write a message to stderr."""
    typer.echo(printable_lines(in_one_line(text)), err=True)


class Messages(logging.Handler):
    """Writes notes and warnings of the package to stderr, above a progress bar that is shown."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message."""
        prefix = "warning: " if record.levelno >= logging.WARNING else ""
        bars = sys.modules.get("tqdm")
        with nullcontext() if bars is None else bars.tqdm.external_write_mode():
            sys.stderr.write(f"{prefix}{in_one_line(record.getMessage())}\n")


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


def _end(error: ModuleNotFoundError | OSError) -> typer.Exit | None:
    """Return how an error ends the command that the user can solve; None for one of ours."""
    if isinstance(error, ModuleNotFoundError):
        return _missing(error)
    if str(error.strerror).startswith(_NO_TEMPORARY):
        return stop(f"error: {error.strerror}; free some space there, or name another by TMPDIR", 1)
    if error.errno in _REFUSALS and error.filename is not None:
        return _refused(error)
    if error.errno in _OUTPUT_FAILS and error.filename is None:
        return _output_failed(error)
    return None


def _missing(error: ModuleNotFoundError) -> typer.Exit | None:
    """Return the end of a command that needs more than the short installation for ONNX files."""
    package = (error.name or "faultdiag").partition(".")[0]
    if package == "faultdiag":
        return None
    return stop(
        f"error: this needs the package {package}, which is not installed; install faultdiag with "
        "all it needs: pip install faultdiag",
        1,
    )


def _refused(error: OSError) -> typer.Exit:
    name = printable(os.fsdecode(error.filename))
    return stop(f"error: {name}: {error.strerror}; {_REFUSALS[error.errno or 0]}", 1)


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


class Silence(io.TextIOBase):
    """A stderr that drops what is written to it."""

    def __init__(self, behind: TextIO) -> None:
        self.behind = behind

    def write(self, text: str) -> int:
        """Drop a text."""
        return len(text)


class JsonLines(io.TextIOBase):
    """A stderr that writes a JSON document on a line for each message, and for progress.

    ``{"time": …, "level": "info", "message": …}``; the level is ``error``, ``warning`` or ``info``.
    Lines of the level ``progress`` have ``task, done, total`` in place of a message, at most one a
    second and the last one of each task.
    """

    encoding = "utf-8"
    errors = "strict"

    def __init__(self, behind: TextIO) -> None:
        self.behind = behind
        self._text = ""
        self._shown = -EVERY
        self._last: tuple[str, int] | None = None

    def isatty(self) -> bool:
        """Return True, so that progress is reported."""
        return True

    def write(self, text: str) -> int:
        """Write the messages that are complete."""
        if "\r" in text:
            self._progress(text)
            return len(text)
        self._text += text
        if self._text.endswith("\n"):
            message, self._text = self._text.strip(), ""
            if message:
                self._message(message)
        return len(text)

    def flush(self) -> None:
        """Flush the stream behind it."""
        self.behind.flush()

    def _message(self, text: str) -> None:
        level = next((name for name in _LEVELS if text.startswith(f"{name}: ")), "info")
        self._line(level, message=text.removeprefix(f"{level}: "))

    def _progress(self, text: str) -> None:
        match = _BAR.match(text)
        if match is None:
            return
        done, total = int(match["done"]), int(match["total"]) if match["total"] else None
        now, place = time.monotonic(), (match["task"], done)
        if place == self._last or (done != total and now - self._shown < EVERY):
            return
        self._shown, self._last = now, place
        note = {"message": match["note"]} if match["note"] else {}
        self._line("progress", task=match["task"], done=done, total=total, **note)

    def _line(self, level: str, **fields: object) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        document = {"time": now, "level": level, **fields}
        self.behind.write(json.dumps(document) + "\n")
        self.behind.flush()


def be_quiet(quiet: bool) -> bool:
    """Drop what is written to stderr from here on, except the message a command ends with."""
    if quiet and not isinstance(sys.stderr, Silence):
        sys.stderr = Silence(sys.stderr)
        warnings.simplefilter("ignore")
    return quiet


def log_json(wanted: bool) -> bool:
    """Write JSON lines to stderr from here on."""
    if wanted and isinstance(sys.stderr, Silence):
        sys.stderr.behind = _as_json(sys.stderr.behind)
    elif wanted:
        sys.stderr = _as_json(sys.stderr)
    return wanted


def _as_json(stream: TextIO) -> TextIO:
    lines: Any = stream if isinstance(stream, JsonLines) else JsonLines(stream)
    made: TextIO = lines
    return made


def be_heard() -> None:
    """End the silence."""
    if isinstance(sys.stderr, Silence):
        sys.stderr = sys.stderr.behind


@contextmanager
def own_stderr() -> Iterator[None]:
    """Have the stderr of before again after the block."""
    before = sys.stderr
    try:
        yield
    finally:
        sys.stderr = before
