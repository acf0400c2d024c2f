"""Functions stay simple, counted as docs/architecture.md counts them."""

import ast
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
COUNT_HOUSE = runpy.run_path(str(ROOT / "scripts" / "count_house.py"))
MOST_COMPLEX = 10
# Some functions read better in one piece.
MOST_EXCEPTIONS = 5


def _functions(path: Path) -> Iterator[ast.FunctionDef]:
    """Yield functions and methods; one inside another counts with it."""
    module = ast.parse(path.read_text(encoding="utf-8"))
    classes = [node for node in module.body if isinstance(node, ast.ClassDef)]
    for scope in (module, *classes):
        yield from (node for node in scope.body if isinstance(node, ast.FunctionDef))


def test_few_functions_are_complex() -> None:
    above = [
        f"{path.relative_to(ROOT)}: {function.name} ({complexity})"
        for path in sorted((ROOT / "faultdiag").rglob("*.py"))
        for function in _functions(path)
        if (complexity := COUNT_HOUSE["complexity"](function)) > MOST_COMPLEX
    ]
    assert len(above) <= MOST_EXCEPTIONS, "\n".join(above)


@pytest.mark.parametrize(
    ("body", "complexity"),
    [
        ("return x", 1),
        ("return a and b or c", 3),
        ("if a:\n    return 1\nelif b:\n    return 2", 3),
        ("return [y for y in x if y]", 3),
        ("return 1 if x else 2", 2),
        ("try:\n    f()\nexcept OSError:\n    pass", 2),
    ],
)
def test_complexity_counts_every_way_through_a_function(body: str, complexity: int) -> None:
    text = "def function():\n" + "".join(f"    {line}\n" for line in body.split("\n"))
    (function,) = ast.parse(text).body
    assert COUNT_HOUSE["complexity"](function) == complexity
