"""Strict YAML: scalars are what they look like, and what is written reads back the same."""

import math
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from faultdiag.errors import FaultdiagError
from faultdiag.system import files

law = settings(max_examples=150, deadline=None)
# Text that some YAML takes for a number, a boolean, a date or a time.
looks_like = st.from_regex(r"[-+0-9_.:eExoaNn~]{1,10}", fullmatch=True)
texts = st.text() | looks_like
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        ("1.0e-3", 0.001),
        (".5", 0.5),
        ("-2.", -2.0),
        ("12", 12),
        ("-7", -7),
        ("+7", 7),
        ("0", 0),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
    ],
)
def test_numbers_booleans_and_null(text: str, value: Any) -> None:
    found = files.parse(text, "a.yaml")
    assert (found, type(found)) == (value, type(value))


def test_nan_is_a_number() -> None:
    assert math.isnan(files.parse(".nan", "a.yaml"))


def test_text_stays_text() -> None:
    # All but the last three are something else in YAML 1.1.
    text = "no, No, on, off, yes, 12:30, 007, 014, -01, 1_000, 0x1F, 0b1, 2001-01-01, =, y, 1e, 12k"
    assert files.parse(f"[{text}]", "a.yaml") == text.split(", ")


def test_quotes_and_a_str_tag_make_text() -> None:
    assert files.parse("['5', \"true\", !!str 5]", "a.yaml") == ["5", "true", "5"]


def test_anchors_are_followed() -> None:
    assert files.parse("a: &x {b: [1]}\nc: *x", "a.yaml") == {"a": {"b": [1]}, "c": {"b": [1]}}


def test_a_byte_order_mark_is_no_text() -> None:
    assert files.parse("\ufeffa: 1", "a.yaml") == {"a": 1}


@law
@given(values)
@example({"\x85": "\u2028"})
@example([1e-5, 1e16, -0.0, math.inf])
@example("a: b # c\n  d\t")
def test_what_is_written_reads_back_the_same(value: Any) -> None:
    found = files.parse(files.dump(value), "a.yaml")
    assert found == value
    assert repr(found) == repr(value)  # 1 is not 1.0, and 0.0 is not -0.0


@law
@given(texts)
@example("no")
@example("12:30")
@example("1e-3")
@example("<<")
def test_any_other_yaml_reads_text_as_the_same_text(text: str) -> None:
    assert yaml.safe_load(files.dump(text)) == text
    assert yaml.safe_load(files.dump({text: [text]})) == {text: [text]}


@law
@given(st.text(alphabet="ab:-[]{}#&*!|>'\"%@`~ \n\t,?05.\x00\u2028", max_size=30))
def test_any_text_is_read_or_refused_with_its_source(text: str) -> None:
    try:
        files.parse(text, "a.yaml")
    except FaultdiagError as error:
        message = str(error)
    else:
        message = "a.yaml: fine"
    assert re.match(r"a\.yaml(, line \d+)?(:| is not YAML: )", message)


def test_keys_keep_their_order_and_repeated_values_get_no_anchors() -> None:
    shared = [1, 2]
    assert files.dump({"b": shared, "a": shared}) == "b:\n- 1\n- 2\na:\n- 1\n- 2\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3", "a.yaml, line 3: duplicate key 'a'; keep one of the two"),
        ("a:\n  b: 1\n  b: 1", "a.yaml, line 3: duplicate key 'b'; keep one of the two"),
        ("x: {c: 1, c: 2}", "a.yaml, line 1: duplicate key 'c'; keep one of the two"),
        ("a: 1\n7: x", "a.yaml, line 2: the key 7 is not text; put it in quotes"),
        ("null: x", "a.yaml, line 1: the key None is not text; put it in quotes"),
        ("? [a]\n: x", "a.yaml, line 1: the key ['a'] is not text; put it in quotes"),
        (
            "!!int x",
            "a.yaml, line 1: cannot read 'x' as int; put it in quotes if it is text",
        ),
        (
            "a:\n  !!bool maybe",
            "a.yaml, line 2: cannot read 'maybe' as bool; put it in quotes if it is text",
        ),
        (
            "9" * 5000,
            f"a.yaml, line 1: cannot read '{'9' * 40}…' as int; put it in quotes if it is text",
        ),
        (
            "a: [1",
            "a.yaml, line 1 is not YAML: while parsing a flow sequence, expected ',' or ']', but "
            "got '<stream end>'",
        ),
        (
            "a: 1\n---\nb: 2",
            "a.yaml, line 2 is not YAML: expected a single document in the stream, but found "
            "another document",
        ),
        ("a: b: c", "a.yaml, line 1 is not YAML: mapping values are not allowed here"),
        (
            "\na: !!python/object:os.system x",
            "a.yaml, line 2 is not YAML: could not determine a constructor for the tag "
            "'tag:yaml.org,2002:python/object:os.system'",
        ),
        (
            "!!timestamp 2001-01-01",
            "a.yaml, line 1 is not YAML: could not determine a constructor for the tag "
            "'tag:yaml.org,2002:timestamp'",
        ),
        ("a: &x [*x]", "a.yaml, line 1 is not YAML: found unconstructable recursive node"),
        ("a: *x", "a.yaml, line 1 is not YAML: found undefined alias 'x'"),
        (
            "a: 1\nb: x\x00y",
            "a.yaml, line 2 is not YAML: it holds the control character '\\x00'",
        ),
        ("[" * 700, "a.yaml is nested too deeply to be read"),
    ],
)
def test_what_is_no_strict_yaml(text: str, expected: str) -> None:
    with pytest.raises(FaultdiagError, match=f"^{re.escape(expected)}$"):
        files.parse(text, "a.yaml")


def test_a_file_is_read_as_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes("label: Außenring\n".encode())
    assert files.read(path) == {"label": "Außenring"}


def test_problems_of_a_file_name_it(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: 1\na: 2\n")
    with pytest.raises(FaultdiagError, match=f"^{re.escape(f'{path}, line 2: duplicate key')}"):
        files.read(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "b.yaml"
    remedy = "; give a config file (`faultdiag init` writes one)"
    for path, reason in ((missing, "No such file or directory"), (tmp_path, "Is a directory")):
        expected = f"cannot read {path}: {reason}{remedy}"
        with pytest.raises(FaultdiagError, match=f"^{re.escape(expected)}$"):
            files.read(path)
    latin = tmp_path / "c.yaml"
    latin.write_bytes("label: Außenring\n".encode("latin-1"))
    with pytest.raises(
        FaultdiagError, match=f"^{re.escape(f'cannot read {latin}: it is not UTF-8 text{remedy}')}$"
    ):
        files.read(latin)
    latin.write_bytes(b"#" * 1_500_000)
    assert files.read(latin) is None
    latin.write_bytes(b"#" * 2_200_000)
    expected = r"has more than 2097152 bytes, .*; list recordings in a manifest, or name another"
    with pytest.raises(FaultdiagError, match=re.escape(str(latin)) + f" {expected}"):
        files.read(latin)
