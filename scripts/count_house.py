"""Count what docs/architecture.md states of the package.

python scripts/count_house.py
"""

import ast
import re
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

PACKAGE = Path(__file__).parents[1] / "faultdiag"
BRANCHES = (
    *(ast.If, ast.For, ast.While, ast.IfExp, ast.ExceptHandler),
    *(ast.comprehension, ast.Assert, ast.match_case),
)

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


def complexity(function: ast.AST) -> int:
    """Return the cyclomatic complexity, counting `and`, `or` and comprehensions."""
    count = 1
    for node in ast.walk(function):
        count += isinstance(node, BRANCHES)
        if isinstance(node, ast.comprehension):
            count += len(node.ifs)
        if isinstance(node, ast.BoolOp):
            count += len(node.values) - 1
    return count


def body_lines(function: Function) -> int:
    """Return the lines of a function without its signature and docstring."""
    body = function.body[ast.get_docstring(function) is not None :]
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports(tree: ast.Module, modules: set[str]) -> Iterator[str]:
    """Yield the modules of the package that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("faultdiag"):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in modules else str(node.module)


def functions_of(trees: Iterable[ast.Module]) -> Iterator[Function]:
    """Yield all functions and methods, those inside others too."""
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node


def single_importers(trees: Mapping[str, ast.Module]) -> set[str]:
    """Return the modules that one other module imports."""
    importers = defaultdict(set)
    for name, tree in trees.items():
        for target in imports(tree, set(trees)):
            importers[target].add(name)
    return {name for name, of in importers.items() if len(of) == 1}


def main() -> None:
    paths = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}
    texts = {name: path.read_text() for name, path in paths.items()}
    trees = {name: ast.parse(text) for name, text in texts.items()}
    lines = {name: len(text.splitlines()) for name, text in texts.items()}
    counts = {
        "modules": len(paths),
        "rooms (packages directly below)": len(list(PACKAGE.glob("*/__init__.py"))),
        "modules outside of rooms": len(list(PACKAGE.glob("*.py"))),
        "lines": sum(lines.values()),
        "median module": statistics.median(lines.values()),
        "largest module": max(lines.values()),
        "single-importer modules under 100 lines": sum(
            lines[name] < 100 for name in single_importers(trees)
        ),
        "functions of more than 40 lines": sum(
            body_lines(function) > 40 for function in functions_of(trees.values())
        ),
        "functions of complexity above 10": sum(
            complexity(function) > 10 for function in functions_of(trees.values())
        ),
        "uses of Any": sum(len(re.findall(r"\bAny\b", text)) for text in texts.values()),
    }
    for what, count in counts.items():
        print(f"{what}: {count:g}")


if __name__ == "__main__":
    main()
