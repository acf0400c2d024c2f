"""Every command with ``--json`` has a schema, which its documents fit and others don't.

`tests.commands.run` checks the document of every command that any test runs with ``--json``.
"""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from faultdiag.api.schema import OUTPUTS
from faultdiag.cli.app import app
from faultdiag.prediction.rows import COLUMNS
from tests.commands import check_output, done, refused, run


def test_every_command_with_json_has_one() -> None:
    printing = {
        command.name or command.callback.__name__
        for command in app.registered_commands
        if command.callback and "as_json" in command.callback.__annotations__
    }
    assert printing == set(OUTPUTS)


@pytest.mark.parametrize("command", OUTPUTS)
def test_it_is_a_schema_and_states_its_version(command: str) -> None:
    schema = json.loads(done("schema", command))
    Draft202012Validator.check_schema(schema)
    assert schema["version"] == 1
    assert schema["$id"] == f"urn:faultdiag:{command}:1"
    assert schema["title"].startswith(f"faultdiag {command} --json: ")


def test_no_such_command() -> None:
    refused(run("schema", "predct"), "unknown command with --json 'predct' (did you mean 'predict'")


@pytest.mark.parametrize("words", [("models",), ("attention",), ("bearings",), ("bearings", 6205)])
def test_the_lists(words: tuple[object, ...]) -> None:
    done(*words, "--json")


ROW: dict[str, Any] = {
    **dict.fromkeys(COLUMNS),
    "path": "a.mat",
    "status": "ok",
    "confidence": 0.9,
    "N": 0.9,
    "IR": 0.1,
    "evidence_score": 12.5,
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, None),
        ({"status": "fine"}, "'fine' is not one of"),
        ({"confidence": 1.5}, "1.5 is not valid"),
        ({"N": "0.9"}, "'0.9' is not valid"),
        ({"evidence_score": []}, r"\[\] is not of type"),
        ({"windows": 2.5}, "2.5 is not valid"),
    ],
)
def test_a_row_of_predict(change: dict[str, Any], message: str | None) -> None:
    text = json.dumps({**ROW, **change})
    if message is None:
        check_output("predict", text)
        return
    with pytest.raises(ValidationError, match=message):
        check_output("predict", text)


def test_a_field_that_is_missing() -> None:
    row = {name: value for name, value in ROW.items() if name != "agreement"}
    with pytest.raises(ValidationError, match="'agreement' is a required property"):
        check_output("predict", json.dumps(row))
