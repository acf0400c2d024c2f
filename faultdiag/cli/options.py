"""Options that several commands take."""

import json
from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[Path, typer.Option("--config", help="YAML config.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="Override one setting: --set train.epochs=5.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def as_text(document: object) -> str:
    """Give a document as the JSON that commands print."""
    return json.dumps(document, indent=2, ensure_ascii=False)
