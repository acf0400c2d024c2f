"""``faultdiag --version``."""

from typing import Annotated

import typer

# Also in pyproject.toml. To look it up among the installed packages takes a tenth of a second.
VERSION = "0.1.0"


def add_version(app: typer.Typer) -> None:
    """Give the program the option that prints its version; nothing slow is imported for it."""

    @app.callback()
    def program(
        version: Annotated[
            bool,
            typer.Option("--version", callback=_show, is_eager=True, help="Print the version."),
        ] = False,
    ) -> None:
        del version  # its callback has ended the program


def _show(asked: bool) -> None:
    if asked:
        typer.echo(f"faultdiag {VERSION}")
        raise typer.Exit
