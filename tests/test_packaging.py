"""What is installed is what is there."""

import runpy
import tomllib
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


def test_every_file_of_data_is_installed() -> None:
    named = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = named["tool"]["setuptools"]["package-data"]
    inside = {p for p in (ROOT / "faultdiag").rglob("*") if p.is_file() and p.suffix != ".py"}
    data = {path for path in inside if "__pycache__" not in path.parts}
    matched = {
        path
        for package, globs in patterns.items()
        if package != "faultdiag.configs"
        for glob in globs
        for path in ROOT.joinpath(*package.split(".")).glob(glob)
    }
    assert data - matched == set()
    assert ROOT / "faultdiag" / "bundled" / "bearing-types.pt" in matched
