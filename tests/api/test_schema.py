"""The JSON schema holds what the config takes, and the starters pass it."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from faultdiag import attention, models
from faultdiag.api.schema import config_schema
from tests.commands import done

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = config_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_starter_passes(validator: Draft202012Validator, path: Path) -> None:
    document = yaml.safe_load(path.read_text())
    assert [error.message for error in validator.iter_errors(document)] == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": {"epochs": "many"}}, "'many' is not"),
        ({"model": {"name": "wdcn"}}, "'wdcn' is not one of"),
        ({"model": {"name": "wdcnn", "dropout": "no"}}, "'no' is not of type 'number'"),
        ({"windows": {}}, "'windows' was unexpected"),
    ],
)
def test_what_the_config_refuses_fails(
    validator: Draft202012Validator, change: dict[str, object], message: str
) -> None:
    document = yaml.safe_load(CONFIGS[0].read_text()) | change
    assert any(message in error.message for error in validator.iter_errors(document))


def test_the_command_prints_it_with_every_component() -> None:
    schema = json.loads(done("schema"))
    text = json.dumps(schema)
    assert all(f'"{name}"' in text for name in [*models.NETWORKS, *attention.BLOCKS])
