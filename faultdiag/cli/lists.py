"""The commands that list what there is: models, attention, schema."""

from typing import Annotated

import typer

from faultdiag.cli.exits import show
from faultdiag.cli.options import AsJson, as_text


def models(as_json: AsJson = False) -> None:
    """List the networks and baselines: options, parameters, multiply-adds, reference.

    Example: faultdiag models --json
    """
    from faultdiag.api.lists import model_facts
    from faultdiag.report.lists import models_text

    rows = model_facts()
    show(as_text(rows) if as_json else models_text(rows))


def attention(as_json: AsJson = False) -> None:
    """List the attention blocks: options, parameters, multiply-adds, reference.

    Example: faultdiag attention --json
    """
    from faultdiag.api.lists import block_facts
    from faultdiag.report.lists import attention_text

    rows = block_facts()
    show(as_text(rows) if as_json else attention_text(rows))


def schema(
    command: Annotated[
        str | None, typer.Argument(help="Of what this command prints with --json.")
    ] = None,
) -> None:
    """Print the JSON schema of a config, or of the JSON that a command prints.

    Example: faultdiag schema > faultdiag.schema.json
    """
    from faultdiag.api.outputs import output_schema
    from faultdiag.api.schema import config_schema

    show(as_text(config_schema() if command is None else output_schema(command)))
