"""Only the command line prints: everything else returns data or logs a message."""

import ast
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

import faultdiag
from faultdiag.system.terminal import note, warn

PACKAGE = Path(faultdiag.__file__).parent
MODULES = sorted(
    path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] != "cli"
)


def printing(tree: ast.Module) -> Iterator[str]:
    """Yield what writes to the terminal: `print`, typer's echo, methods of stderr and stdout."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in {"print", "typer.echo", "click.echo", "warnings.warn"}:
                yield name
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in {
            "sys.stderr",
            "sys.stdout",
            "sys.__stderr__",
            "sys.__stdout__",
        }:
            yield ast.unparse(node)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_command_line_prints(path: Path) -> None:
    assert list(printing(ast.parse(path.read_text()))) == []


def test_what_counts_as_printing() -> None:
    code = "print(1)\nsys.stderr.write('x')\nsys.stdout.buffer.write(b'x')\ntyper.echo('x')\n"
    assert sorted(printing(ast.parse(code))) == [
        "print",
        "sys.stderr.write",
        "sys.stdout.buffer",
        "typer.echo",
    ]


def test_messages_have_levels_for_programs_and_words_for_people(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    note("adapting with\x1b[2J mk_mmd\n")
    warn("nothing states the rate")
    assert [(r.name, r.levelno, r.getMessage()) for r in caplog.records] == [
        ("faultdiag", logging.INFO, r"adapting with\x1b[2J mk_mmd"),
        ("faultdiag", logging.WARNING, "nothing states the rate"),
    ]
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "adapting with\\x1b[2J mk_mmd\nwarning: nothing states the rate\n"
