"""README and docs: links lead somewhere, tables equal stored results, examples run, plain words."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import faultdiag
from faultdiag.config.load import read_config
from faultdiag.config.schema import try_config
from faultdiag.protocol.plan import merged
from faultdiag.protocol.section import read_section

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
RESULTS = ROOT / "docs" / "results"
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([\w-]+))?\)")
EXAMPLE = re.compile(r"<!-- example: (\w+) -->\n```\w+\n(.*?)```", re.DOTALL)
# Words of the list in the style guide: each has a plain one in its place.
BANNED = re.compile(
    r"\b(stands? twice|is none of|that is none|of as many|anew|g(?:one|o) on with|mend(?:s|ed)?|"
    r"told|numbers that hold)\b",
    re.IGNORECASE,
)

by_name = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def anchors(page: Path) -> set[str]:
    """The anchors of the headings of a page."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@by_name
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        path = page if not target else page.parent / target
        assert path.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(path), f"{page.name} links to {target}#{anchor}"


def test_tables_are_those_of_the_stored_results() -> None:
    words = [sys.executable, str(ROOT / "scripts" / "docs_tables.py"), "--check"]
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_every_stored_result_is_shown_and_names_its_command() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    shown = set(re.findall(r"<!-- result: ([\w-]+) -->", text))
    assert shown == {path.stem for path in RESULTS.glob("*.json")}
    for path in RESULTS.glob("*.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        assert {len(row) for row in document["rows"]} == {len(document["columns"])}, path.name
        command = document["command"]
        assert re.search(r"faultdiag (train|protocol)|python scripts/", command), path.name
        files = re.findall(r"(?:scripts|configs|docs/results)/[a-z][\w-]*\.(?:py|yaml)", command)
        assert [name for name in files if not (ROOT / name).is_file()] == [], path.name


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_configs_of_stored_results_are_valid(path: Path) -> None:
    data = read_config(path)
    section = data.pop("protocol")
    assert read_section(section)[1] == []
    changes = [section["models"], section["protocols"]]
    for change in (change for made in changes for change in made.values()):
        own = {key: value for key, value in change.items() if key != "models"}
        assert try_config(merged(data, own))[1] == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_bytes()) <= 9_000


@by_name
def test_pages_use_plain_words(page: Path) -> None:
    assert BANNED.findall(page.read_text(encoding="utf-8")) == []


def test_messages_and_docstrings_use_plain_words() -> None:
    uses = {
        str(path.relative_to(ROOT)): words
        for folder in ("faultdiag", "scripts")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if (words := BANNED.findall(path.read_text(encoding="utf-8")))
    }
    assert uses == {}


def test_docstrings_begin_with_a_plain_verb() -> None:
    first = re.compile(r'"""(Give|Tell|Say)\b')
    places = [
        f"{path.relative_to(ROOT)}"
        for path in sorted((ROOT / "faultdiag").rglob("*.py"))
        if first.search(path.read_text(encoding="utf-8"))
    ]
    assert places == []


def environment() -> dict[str, str]:
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
        "CUDA_VISIBLE_DEVICES": "",
    }


def test_the_commands_of_getting_started_run(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "getting-started.md").read_text(encoding="utf-8")
    lines = [
        line
        for kind, code in EXAMPLE.findall(text)
        if kind == "shell"
        for line in code.splitlines()
    ]
    assert len(lines) >= 6
    for line in lines:
        program, *words = shlex.split(line)
        assert program == "faultdiag"
        command = [sys.executable, "-m", "faultdiag", *words]
        result = subprocess.run(
            command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, f"{line}\n{result.stderr}"
    assert (tmp_path / "diagnoses.csv").read_text().startswith("path,status,label,confidence,")


def test_the_page_of_the_api_names_every_public_name() -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    missing = [name for name in faultdiag.__all__ if not re.search(rf"\b{name}\b", text)]
    assert not missing


@pytest.mark.parametrize("page", ["api", "networks-and-attention"])
def test_the_python_examples_run(page: str, tmp_path: Path) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    codes = [code for kind, code in EXAMPLE.findall(text) if kind == "python"]
    assert codes
    for code in codes:
        result = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr


def test_the_page_of_the_architecture_names_every_module() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", text, re.MULTILINE))
    package = ROOT / "faultdiag"
    assert sorted(rows) == sorted(path.parent.name for path in package.glob("*/__init__.py"))
    for name, row in rows.items():
        named = set(re.findall(r"`(\w+)`", row))
        modules = {path.stem for path in (package / name).glob("*.py")} - {"__init__"}
        others = modules - named
        assert not others or row.endswith(" a file"), f"{name}: {sorted(others)}"
        folders = {path.parent.name for path in (package / name).glob("*/__init__.py")}
        assert folders <= named, name
