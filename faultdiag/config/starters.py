"""Starter configs: the commented YAML files that come with the package."""

from importlib.resources import files
from pathlib import Path

from faultdiag.errors import FaultdiagError, unknown
from faultdiag.system.files import write_text


def texts() -> dict[str, str]:
    """Return the text of every starter by its name."""
    package = Path(str(files("faultdiag")))
    # Installed, the folder configs lies in the package; in a checkout, beside it.
    folder = next(p for p in (package / "configs", package.parent / "configs") if p.is_dir())
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.yaml"))}


def listing() -> str:
    """Return a line per starter: its name and the first line of its comment."""
    starters = texts()
    width = max(len(name) for name in starters)
    return "\n".join(
        f"{name.ljust(width)}  {text.splitlines()[0].removeprefix('#').strip()}"
        for name, text in starters.items()
    )


def write(name: str, path: Path) -> Path:
    """Write a starter to a new file and return its path.

    Raises
    ------
    FaultdiagError
        If no starter has this name, or the file exists.
    """
    starters = texts()
    if name not in starters:
        raise unknown("starter", name, starters)
    if path.exists():
        raise FaultdiagError(f"{path} exists; give another file with --out")
    write_text(path, starters[name])
    return path
