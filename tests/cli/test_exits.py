"""How a command ends: exit codes, one message, interrupts, an output nobody reads."""

import errno
import os
import signal
import tempfile
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from faultdiag.cli.app import app
from faultdiag.cli.exits import Group, say, stop
from faultdiag.errors import FaultdiagError


def run(error: BaseException | None = None, *, kill: bool = False) -> Result:
    app = typer.Typer(cls=Group, pretty_exceptions_enable=False)

    @app.command()
    def work() -> None:
        typer.echo("some output")
        if kill:
            os.kill(os.getpid(), signal.SIGTERM)
        if error is not None:
            raise error

    @app.command()
    def other() -> None:
        """A second command, so that the first needs its name."""

    return CliRunner().invoke(app, ["work"])


def test_done() -> None:
    result = run()
    assert (result.exit_code, result.stdout, result.stderr) == (0, "some output\n", "")


def test_what_the_user_can_mend() -> None:
    result = run(FaultdiagError("the file is broken"))
    assert (result.exit_code, result.stderr) == (1, "error: the file is broken\n")


def test_a_package_that_is_not_installed() -> None:
    result = run(ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn"))
    assert result.exit_code == 1
    assert result.stderr == (
        "error: this needs the package torch, which is not installed; install faultdiag with all "
        "it needs: pip install faultdiag\n"
    )
    own = ModuleNotFoundError("No module named 'faultdiag.x'", name="faultdiag.x")
    assert run(own).exception is own


def test_an_interrupt() -> None:
    result = run(KeyboardInterrupt())
    assert (result.exit_code, result.stderr) == (130, "interrupted\n")


def test_a_termination_is_an_interrupt() -> None:
    before = signal.getsignal(signal.SIGTERM)
    result = run(kill=True)
    assert (result.exit_code, result.stderr) == (130, "interrupted\n")
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_reader_that_went_away_is_no_error() -> None:
    result = run(BrokenPipeError(errno.EPIPE, "Broken pipe"))
    assert (result.exit_code, result.stderr) == (0, "")


def test_no_room_for_temporary_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [gone])
    with pytest.raises(FileNotFoundError) as caught:
        tempfile.mkdtemp()
    result = run(caught.value)
    assert result.exit_code == 1
    assert f"No usable temporary directory found in ['{gone}']; free some space" in result.stderr


def test_an_output_that_is_full() -> None:
    result = run(OSError(errno.ENOSPC, "No space left on device"))
    assert result.exit_code == 1
    assert result.stderr == "error: cannot write to standard output: No space left on device\n"


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a bug"),
        FileNotFoundError(errno.ENOENT, "No such file", "forgotten.txt"),
        OSError(errno.ENOSPC, "No space left on device", "forgotten.txt"),
    ],
)
def test_a_bug_is_not_hidden(error: Exception) -> None:
    result = run(error)
    assert result.exception is error


def test_a_message_and_the_exit_to_raise(capsys: pytest.CaptureFixture[str]) -> None:
    say("one")
    assert stop("two", 7).exit_code == 7
    assert capsys.readouterr() == ("", "one\ntwo\n")


_LONG = "n" * 300


@pytest.mark.parametrize(
    "words",
    [
        ("inspect", _LONG),
        ("init", "--from", _LONG),
        ("init", "demo", "--out", _LONG),
        ("check", _LONG),
        ("predict", _LONG, "a.mat"),
        ("eval", _LONG),
        ("export", _LONG),
        ("report", _LONG),
        ("trend", _LONG),
        ("watch", _LONG, ".", "--out", "rows.csv"),
        ("adapt", _LONG, ".", "--out", "run"),
        ("explain", _LONG, "a.mat"),
        ("simulate", "--out", _LONG),
    ],
    ids=lambda words: " ".join(words).replace(_LONG, "LONG"),
)
def test_a_name_that_the_system_refuses_is_one_message(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, words)
    assert (result.exit_code, type(result.exception)) == (1, SystemExit)
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert _LONG in line
    assert list(tmp_path.iterdir()) == []


def test_a_word_of_the_command_line_stays_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "runs\nerror: all is lost\x1b[2J"
    monkeypatch.setattr("sys.argv", ["faultdiag", "predict", name])
    result = run(FaultdiagError(f"{name} is no run folder"))
    assert result.stderr == "error: runs\\nerror: all is lost\\x1b[2J is no run folder\n"
