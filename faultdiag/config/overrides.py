"""Settings of a config overridden from the command line: ``--set train.epochs=5``."""

from copy import copy
from typing import Any

from faultdiag.documents import Json
from faultdiag.errors import FaultdiagError
from faultdiag.system import files


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
