"""The commands that list what there is: models, attention, schema."""

import typer

from faultdiag.cli.options import AsJson, as_text


def models(as_json: AsJson = False) -> None:
    """List the networks and baselines: options, parameters, multiply-adds, reference.

    Example: faultdiag models --json
    """
    from faultdiag.models.describe import describe, format_description

    rows = describe()
    typer.echo(as_text(rows) if as_json else format_description(rows))


def attention(as_json: AsJson = False) -> None:
    """List the attention blocks: options, parameters, multiply-adds, reference.

    Example: faultdiag attention --json
    """
    from faultdiag.attention.describe import describe, format_description

    rows = describe()
    typer.echo(as_text(rows) if as_json else format_description(rows))


def schema() -> None:
    """Print the JSON schema of a config, for editors and other tools.

    Example: faultdiag schema > faultdiag.schema.json
    """
    from faultdiag.api.schema import config_schema

    typer.echo(as_text(config_schema()))
