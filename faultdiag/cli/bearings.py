"""The command about bearings."""

from typing import Annotated

import typer

from faultdiag.cli.exits import show
from faultdiag.cli.options import AsJson, as_text


def bearings(
    name: Annotated[str | None, typer.Argument(help="Show this one; none: list all.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the known bearings with their fault orders, or show one.

    Example: faultdiag bearings 6205
    """
    from faultdiag.report.bearings import bearing_text, bearing_values, bearings_text
    from faultdiag.signal.bearings import catalogue, find_bearing

    if name is None:
        rows = list(catalogue().values())
        document = [bearing_values(row) for row in rows]
        show(as_text(document) if as_json else bearings_text(rows))
        return
    row = find_bearing(name)
    show(as_text(bearing_values(row)) if as_json else bearing_text(row))
