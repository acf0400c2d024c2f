"""``faultdiag --version``."""

import subprocess
import sys
from importlib.metadata import version

from tests.commands import done, run


def test_the_version_is_printed() -> None:
    assert done("--version") == f"faultdiag {version('faultdiag')}\n"
    assert "--version" in done("--help")
    assert run("--versions").exit_code == 2


def test_nothing_slow_is_imported_for_it() -> None:
    code = (
        "import sys; from faultdiag.cli import app; app(['--version'], standalone_mode=False);"
        "print(sorted({'torch', 'numpy', 'pydantic', 'yaml', 'scipy'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[1] == "[]"
