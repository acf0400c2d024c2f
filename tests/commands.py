"""Running commands of the command line in tests."""

from typer.testing import CliRunner, Result

from faultdiag.cli.app import app

COMMANDS = sorted(
    command.name or command.callback.__name__
    for command in app.registered_commands
    if command.callback
)


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def done(*words: object) -> str:
    """Run a command that should work and give what it printed."""
    result = run(*words)
    assert result.exit_code == 0, result.stderr or result.exception
    return str(result.stdout)


def refused(result: Result, message: str) -> None:
    assert result.exit_code == 1, result.exception
    assert result.stdout == ""
    assert isinstance(result.exception, SystemExit)
    lines = result.stderr.splitlines()
    assert lines[0].startswith("error: ")
    assert message in result.stderr
    assert all(not line or line.startswith("  ") for line in lines[1:]), "one message"
