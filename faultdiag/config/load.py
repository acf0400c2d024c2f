"""Load a config as plain data: starters, files, and settings overridden with ``--set``."""

from collections.abc import Sequence
from copy import copy
from importlib import resources
from pathlib import Path
from typing import Any

from faultdiag.documents import Json
from faultdiag.errors import FaultdiagError, unknown
from faultdiag.system import files
from faultdiag.system.files import write_text


def read_config(path: Path, overrides: Sequence[str] = ()) -> Json:
    """Read a config file as plain data and apply ``a.b=value`` overrides; nothing is checked yet.

    Raises
    ------
    FaultdiagError
        If the file can't be read or holds no mapping, or an override has no place in it.
    """
    data = files.read(path)
    if not isinstance(data, dict):
        raise FaultdiagError(
            f"{path} holds {_kind(data)}, no config; `faultdiag init` writes a starter"
        )
    for text in overrides:
        override(data, text)
    return data


def override(data: Json, setting: str) -> None:
    """Put one value into plain data.

    Parameters
    ----------
    data
        A config as YAML gives it; sections that are missing are made.
    setting
        ``a.b=value``: a dotted path, in which a number is an index into a list, and YAML.

    Raises
    ------
    FaultdiagError
        If the setting has another form, or its path leads nowhere.

    Examples
    --------
    >>> data = {"seed": 0, "data": {"channels": ["DE"]}}
    >>> override(data, "train.learning_rate=1e-3")
    >>> override(data, "data.channels.0=FE")
    >>> data
    {'seed': 0, 'data': {'channels': ['FE']}, 'train': {'learning_rate': 0.001}}
    """
    path, equals, text = setting.partition("=")
    *parents, last = keys = [key.strip() for key in path.split(".")]
    if not equals or not all(keys):
        raise FaultdiagError(f"--set {setting}: write it as --set train.epochs=5")
    try:
        value = files.parse(text, f"--set {setting}")
    except FaultdiagError as error:
        raise FaultdiagError(f"{error}; put text in quotes: --set '{path}=\"…\"'") from error
    node: Any = data
    for key in parents:
        node = _child(node, key, setting)
    node[_index(node, last, setting) if isinstance(node, list) else last] = value


def _child(node: Any, key: str, setting: str) -> object:
    """Return a copy of the value under a key: other places of a YAML anchor stay as they are."""
    place = _index(node, key, setting) if isinstance(node, list) else key
    child = {} if isinstance(place, str) and node.get(place) is None else node[place]
    if not isinstance(child, (dict, list)):
        raise FaultdiagError(f"--set {setting}: '{key}' is {child!r} and has no keys")
    node[place] = copy(child)
    return node[place]


def _index(node: list[object], key: str, setting: str) -> int:
    if not (key.isdecimal() and int(key) < len(node)):
        remedy = f"use an index from 0 to {len(node) - 1}" if node else "set the whole list"
        raise FaultdiagError(
            f"--set {setting}: '{key}' stands where a list of {len(node)} is; {remedy}"
        )
    return int(key)


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    return "a list" if isinstance(value, list) else f"the one value {value!r}"


def starter_texts() -> dict[str, str]:
    """Return the text of every starter by its name."""
    package = Path(str(resources.files("faultdiag")))
    # Installed, the folder configs lies in the package; in a checkout, beside it.
    folder = next(p for p in (package / "configs", package.parent / "configs") if p.is_dir())
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.yaml"))}


def starter_lines() -> str:
    """Return a line per starter: its name and the first line of its comment."""
    starters = starter_texts()
    width = max(len(name) for name in starters)
    return "\n".join(
        f"{name.ljust(width)}  {text.splitlines()[0].removeprefix('#').strip()}"
        for name, text in starters.items()
    )


def write_starter(name: str, path: Path) -> Path:
    """Write a starter to a new file and return its path.

    Raises
    ------
    FaultdiagError
        If no starter has this name, or the file exists.
    """
    starters = starter_texts()
    if name not in starters:
        raise unknown("starter", name, starters)
    if path.exists():
        raise FaultdiagError(f"{path} exists; give another file with --out")
    write_text(path, starters[name])
    return path
