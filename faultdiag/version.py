"""``faultdiag --version``."""

from typing import Annotated

import typer


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
        from importlib.metadata import version

        typer.echo(f"faultdiag {version('faultdiag')}")
        raise typer.Exit
