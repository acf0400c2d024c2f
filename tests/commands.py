"""Running commands of the command line in tests."""

import json
from functools import lru_cache

from jsonschema import Draft202012Validator
from typer.testing import CliRunner, Result

from faultdiag.api.schema import OUTPUTS, output_schema
from faultdiag.cli.app import app

COMMANDS = sorted(
    command.name or command.callback.__name__
    for command in app.registered_commands
    if command.callback
)


def run(*words: object) -> Result:
    """Run a command; what it prints with ``--json`` must fit the command's schema."""
    texts = [str(word) for word in words]
    result = CliRunner().invoke(app, texts)
    if "--json" in texts and texts[0] in OUTPUTS and result.stdout[:1] in {"[", "{"}:
        check_output(texts[0], result.stdout)
    return result


def check_output(command: str, text: str) -> None:
    for document in text.splitlines() if command == "predict" else [text]:
        validator(command).validate(json.loads(document))


@lru_cache
def validator(command: str) -> Draft202012Validator:
    return Draft202012Validator(output_schema(command))


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
