"""Every regular expression of the package takes linear time on its worst input."""

import ast
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, TypeGuard

import pytest

import faultdiag

PACKAGE = Path(faultdiag.__file__).parent
FUNCTIONS = {"match", "search", "fullmatch", "sub", "split", "findall", "finditer"}
SIZE = 100_000
SECONDS = 1.0  # of the processor, for all inputs
EXAMPLES = {
    sre.CATEGORY_DIGIT: "1",
    sre.CATEGORY_SPACE: " ",
    sre.CATEGORY_WORD: "a",
    sre.CATEGORY_NOT_DIGIT: "x",
    sre.CATEGORY_NOT_SPACE: "x",
    sre.CATEGORY_NOT_WORD: "-",
}

# A character for an operator of a parsed pattern.
EXAMPLES_OF: dict[Any, Callable[[Any], str]] = {
    sre.LITERAL: chr,
    sre.NOT_LITERAL: lambda _: "x",
    sre.ANY: lambda _: "x",
    sre.RANGE: lambda ends: chr(ends[0]),
    sre.CATEGORY: lambda category: EXAMPLES.get(category, "a"),
}


@dataclass(frozen=True)
class Use:
    """A pattern, its flags, and how it is applied."""

    pattern: str
    flags: int
    function: str


def trees() -> Iterator[ast.Module]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield ast.parse(path.read_text(encoding="utf-8"))


def text_of(node: ast.expr) -> str | None:
    """The text of a pattern; what is put in from outside is escaped, and so a word."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
        value = node.value
        return value if isinstance(value, str) else value.decode("latin-1")
    if isinstance(node, ast.JoinedStr):
        return "".join(
            text_of(v) or "" if isinstance(v, ast.Constant) else "w" for v in node.values
        )
    return None


def flags_of(call: ast.Call) -> int:
    text = " ".join(map(ast.unparse, [*call.args[1:], *(k.value for k in call.keywords)]))
    return int(re.IGNORECASE) if re.search(r"re\.I\b|IGNORECASE", text) else 0


def is_call(node: ast.expr, names: set[str]) -> TypeGuard[Any]:
    function = node.func if isinstance(node, ast.Call) else None
    if not isinstance(function, ast.Attribute) or function.attr not in names:
        return False
    return ast.unparse(function.value) == "re"


def applied() -> dict[str, set[str]]:
    """By the name of a compiled pattern the functions that are called on it."""
    found: dict[str, set[str]] = {}
    for tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in FUNCTIONS:
                found.setdefault(ast.unparse(node.value), set()).add(node.attr)
    return found


def uses_of(node: ast.AST, names: dict[str, set[str]]) -> Iterator[Use]:
    made = node.value if isinstance(node, ast.Assign) else None
    if made and is_call(made, {"compile"}) and (text := text_of(made.args[0])):
        known = names.get(ast.unparse(node.targets[0]), {"match", "search"})
        yield from (Use(text, flags_of(made), name) for name in known)
    called = isinstance(node, ast.expr) and is_call(node, FUNCTIONS)
    if called and (text := text_of(node.args[0])):
        yield Use(text, flags_of(node), node.func.attr)


def uses() -> set[Use]:
    """Patterns that are given as text, each with the functions that it is used by."""
    names = applied()
    return {use for tree in trees() for node in ast.walk(tree) for use in uses_of(node, names)}


def letters(parsed: Any) -> set[str]:
    """A character of each kind that a parsed pattern names."""
    if isinstance(parsed, tuple) and parsed[0] in EXAMPLES_OF:
        return {EXAMPLES_OF[parsed[0]](parsed[1])}
    parts = parsed if isinstance(parsed, parser.SubPattern | list | tuple) else ()
    return set().union(*map(letters, parts))


def inputs(pattern: str, size: int) -> Iterator[str]:
    """Repeated characters and pairs that the pattern takes, with an end that it doesn't."""
    own = sorted(letters(parser.parse(pattern)) | {"a"}, key=ord)[:5]
    for one, other in product(own, repeat=2):
        yield (one + other) * (size // 2) + "\0"
        yield one + other * size + "\0"


def apply(use: Use, text: str) -> None:
    compiled = re.compile(use.pattern, use.flags)
    if use.function == "sub":
        compiled.sub("", text)
    else:
        found = getattr(compiled, use.function)(text)
        if use.function == "finditer":
            list(found)


def seconds(use: Use, size: int) -> float:
    began = time.process_time()
    for text in inputs(use.pattern, size):
        apply(use, text)
        if (taken := time.process_time() - began) > SECONDS:
            return taken
    return time.process_time() - began


USES = sorted(uses(), key=lambda use: (use.pattern, use.function))


def test_the_patterns_are_found() -> None:
    assert len(USES) > 50
    assert any("DE|FE|BA" in use.pattern for use in USES)


@pytest.mark.parametrize("use", USES, ids=lambda use: f"{use.function} {use.pattern[:40]!r}")
def test_a_pattern_takes_linear_time(use: Use) -> None:
    # What is quadratic shows on a small part of the text, and would take hours on all of it.
    assert seconds(use, SIZE // 10) < SECONDS / 5
    assert seconds(use, SIZE) < SECONDS


@pytest.mark.parametrize("pattern", [r"\d+\.?\d*", r"(\d+)\s*([a-z]*)\s*$"])
def test_what_is_not_linear_is_noticed(pattern: str) -> None:
    assert seconds(Use(pattern, 0, "fullmatch"), SIZE // 10) > SECONDS / 5
