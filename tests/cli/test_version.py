"""``faultdiag --version``."""

import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

from faultdiag import __version__
from tests.commands import done, run


def test_the_version_is_that_of_the_package() -> None:
    project = tomllib.loads(
        Path(__file__).parents[2].joinpath("pyproject.toml").read_text(encoding="utf-8")
    )["project"]
    assert version("faultdiag") == __version__ == project["version"]


def test_the_version_is_printed() -> None:
    assert done("--version") == f"faultdiag {version('faultdiag')}\n"
    assert "--version" in done("--help")
    assert run("--versions").exit_code == 2


def test_nothing_slow_is_imported_for_it() -> None:
    code = (
        "import sys; from faultdiag.cli.app import app; app(['--version'], standalone_mode=False);"
        "slow = {'importlib.metadata', 'torch', 'numpy', 'pydantic', 'yaml', 'scipy'};"
        "print(sorted(slow & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[1] == "[]"
