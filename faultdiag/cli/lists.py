"""The commands that list what there is: models, attention, schema."""

from typing import Annotated

import typer

from faultdiag.cli.exits import show
from faultdiag.cli.options import AsJson, as_text


def models(
    bundled: Annotated[
        bool, typer.Option("--bundled", help="List the bundled trained models instead.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the networks and baselines: options, parameters, multiply-adds, reference.

    Example: faultdiag models --json
    """
    from faultdiag.api.lists import bundled_facts, model_facts
    from faultdiag.report.tables import bundled_text, models_text

    rows, text = (bundled_facts, bundled_text) if bundled else (model_facts, models_text)
    facts = rows()
    show(as_text(facts) if as_json else text(facts))


def attention(as_json: AsJson = False) -> None:
    """List the attention blocks: options, parameters, multiply-adds, reference.

    Example: faultdiag attention --json
    """
    from faultdiag.api.lists import block_facts
    from faultdiag.report.tables import attention_text

    rows = block_facts()
    show(as_text(rows) if as_json else attention_text(rows))


def schema(
    command: Annotated[
        str | None, typer.Argument(help="Print the schema of this command's --json output.")
    ] = None,
) -> None:
    """Print the JSON schema of a config, or of the JSON that a command prints.

    Example: faultdiag schema > faultdiag.schema.json
    """
    from faultdiag.api.schema import config_schema, output_schema

    show(as_text(config_schema() if command is None else output_schema(command)))


def bearings(
    name: Annotated[str | None, typer.Argument(help="Show this one; without it, list all.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the known bearings with their fault orders, or show one.

    Example: faultdiag bearings 6205
    """
    from faultdiag.report.tables import bearing_text, bearing_values, bearings_text
    from faultdiag.signal.bearings import catalogue, find_bearing

    if name is None:
        rows = list(catalogue().values())
        document = [bearing_values(row) for row in rows]
        show(as_text(document) if as_json else bearings_text(rows))
        return
    row = find_bearing(name)
    show(as_text(bearing_values(row)) if as_json else bearing_text(row))
