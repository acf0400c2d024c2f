"""What is installed is what is there."""

import runpy
from pathlib import Path

import pytest
import setuptools

ROOT = Path(__file__).parents[1]


def test_every_package_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    settings: dict[str, list[str]] = {}
    monkeypatch.setattr(setuptools, "setup", lambda **given: settings.update(given))
    monkeypatch.chdir(ROOT)
    runpy.run_path("setup.py")
    folders = {path.parent for path in (ROOT / "faultdiag").rglob("*.py")}
    packages = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    assert set(settings["packages"]) == packages | {"faultdiag.configs"}
