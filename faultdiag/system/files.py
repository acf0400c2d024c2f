"""Files: written whole or not at all, and strict YAML.

PyYAML follows YAML 1.1, in which ``1e-3`` is a string, ``no`` is False, ``12:30`` is 750,
``014`` is 12 and the last of two equal keys wins without a word. Here ``1e-3`` is a number, only
``true`` and ``false`` are booleans, numbers with a leading zero are text (a fault size is
``007``), and a duplicate key is an error.
"""

import errno
import io
import json
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from faultdiag.documents import Json
from faultdiag.errors import FaultdiagError, printable

_FULL = "free some space or choose another folder"
_FORBIDDEN = "choose a folder you may write to"
TEMPORARY = ".writing-"
"""Beginning of the names of temporary files."""
_REMEDIES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: _FORBIDDEN,
    errno.ENOENT: "make its folder first or choose one that exists",
    errno.ENOTDIR: "choose a folder that exists",
    errno.EISDIR: "that is a folder; name a file",
    errno.ENAMETOOLONG: "choose a shorter name",
}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    r"""Yield a temporary path beside `path`; the file written there replaces `path` at the end.

    The temporary path has the suffix of `path`, because some writers choose the format by it.
    When the block ends, the file is synced to disk and moved onto `path` in one step: a reader
    sees the old file or the new one, never a part. When the block raises, on Ctrl-C too, the
    temporary file is removed and `path` stays as it was. Links are followed. A device or pipe,
    such as ``/dev/stdout``, can't be replaced and is written to directly.

    Raises
    ------
    FaultdiagError
        If the file can't be written: the disk is full, the folder is missing or read-only.
        An error about another file or the network in the block is passed on unchanged.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "numbers.csv")
    ...     with replacing(path) as temporary:
    ...         _ = temporary.write_text("1,2\n")
    ...     path.read_text()
    '1,2\n'
    """
    target = Path(os.path.realpath(path))
    written = target.parent / f"{TEMPORARY}{secrets.token_hex(8)}{target.suffix}"
    try:
        with write_errors(path, target, written):
            if _is_special(path):
                yield path
                return
            yield written
            sync(written)
            written.replace(target)
    finally:
        # An earlier error matters more than one of the clean-up.
        with suppress(OSError):
            written.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove the temporary files that killed processes left in a folder.

    Only the owner of the folder may call this (`faultdiag.system.locks`): the files of a running
    process have the same names.
    """
    with suppress(OSError):
        for path in folder.glob(f"{TEMPORARY}*"):
            path.unlink(missing_ok=True)


@contextmanager
def write_errors(path: Path, *others: Path) -> Iterator[None]:
    """Raise a `FaultdiagError` about `path` where it or one of `others` can't be written.

    Raises
    ------
    FaultdiagError
        In place of an error of the operating system about one of these files.
    """
    try:
        yield
    except OSError as error:
        if not _is_about(error, {str(path), *map(str, others)}):
            raise
        raise FaultdiagError(f"cannot write {printable(str(path))}: {_reason(error)}") from error


def read_bytes(
    path: Path, most: int | None = None, *, remedy: str = "shorten it or name another one"
) -> bytes:
    """Return the bytes of a file, or those that come through a pipe.

    Parameters
    ----------
    path
        The file.
    most
        Bytes that it may have; None is no limit.
    remedy
        What helps if it has more, to end the message with.

    Raises
    ------
    OSError
        If it can't be read, or is a device, or a pipe that nobody writes to.
    FaultdiagError
        If it has more bytes.
    """
    with io.FileIO(str(path), opener=_open_at_once) as raw, io.BufferedReader(raw) as file:
        mode = os.fstat(raw.fileno()).st_mode
        if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
            raise OSError(errno.ENODEV, "it is a device, no file", str(path))
        content = file.read(-1 if most is None else most + 1)
    if stat.S_ISFIFO(mode) and not content:
        raise OSError(errno.ENODATA, "it is a pipe that nobody writes to", str(path))
    if most is not None and len(content) > most:
        raise FaultdiagError(
            f"{printable(str(path))} has more than {most} bytes, the most for such a file; {remedy}"
        )
    return content


def _open_at_once(path: str, flags: int) -> int:
    """Open a file, without waiting for somebody who writes where it is a pipe."""
    if not hasattr(os, "O_NONBLOCK"):
        return os.open(path, flags)
    number = os.open(path, flags | os.O_NONBLOCK)
    os.set_blocking(number, True)
    return number


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes to a file, whole or not at all.

    Raises
    ------
    FaultdiagError
        If the file can't be written; the old one is unchanged.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    r"""Write text as UTF-8 with its line ends as they are, whole or not at all.

    Half a surrogate pair, as in a file name that is not UTF-8, becomes its ``\udc..`` escape.

    Raises
    ------
    FaultdiagError
        If the file can't be written; the old one is unchanged.
    """
    write_bytes(path, text.encode("utf-8", errors="backslashreplace"))


def write_json(path: Path, document: object) -> None:
    """Write a document as indented JSON, keys in their order, whole or not at all.

    Raises
    ------
    FaultdiagError
        If the file can't be written; the old one is unchanged.
    ValueError
        If the document holds NaN or infinity, which JSON lacks.
    TypeError
        If the document holds another type than those of JSON.
    """
    text = json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False)
    write_text(path, text + "\n")


def _is_special(path: Path) -> bool:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return path.exists() and not path.is_file()


def sync(path: Path) -> None:
    """Force a file, or the names in a folder, to the disk.

    Raises
    ------
    OSError
        If a file can't be synced. Folders are synced where the system knows how.
    """
    if not path.is_dir():
        with path.open("r+b") as file:
            os.fsync(file.fileno())
        return
    with suppress(OSError):
        number = os.open(path, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _is_short_write(error: OSError) -> bool:
    # numpy reports a full disk without an error number: "131072 requested and 0 written".
    return error.errno is None and "requested and" in str(error)


def _is_about(error: OSError, paths: set[str]) -> bool:
    if error.errno is None or isinstance(error, ConnectionError | TimeoutError):
        return _is_short_write(error)
    return error.filename is None or os.fspath(error.filename) in paths


def _reason(error: OSError) -> str:
    number = error.errno or errno.ENOSPC
    remedy = _REMEDIES.get(number, "choose another folder")
    return f"{os.strerror(number)}; {remedy}; nothing was changed"


class _Loader(yaml.SafeLoader):
    """SafeLoader with the scalars of YAML 1.2's core schema, no other types, and unique keys."""


class _Dumper(yaml.SafeDumper):
    """SafeDumper that quotes text which YAML 1.1 or `_Loader` would read as another type."""

    def ignore_aliases(self, data: object) -> bool:
        """Write a value as often as it occurs: `&id001` and `*id001` tell a reader nothing."""
        del data
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    # PyYAML loses the line breaks of Unicode in single quotes; double quotes escape them.
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)

# Type -> what it looks like, the characters it starts with, and how it is read.
_SCALARS: dict[str, tuple[str, list[str], Callable[[str], Any]]] = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""], lambda _: None),
    "bool": (
        r"true|True|TRUE|false|False|FALSE",
        list("tTfF"),
        lambda text: text.lower() == "true",
    ),
    "int": (r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789"), int),
    "float": (
        r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+0123456789."),
        lambda text: float(re.sub(r"\.(inf|nan)", r"\1", text, flags=re.IGNORECASE)),
    ),
}


def _scalar(kind: str) -> Callable[[_Loader, yaml.ScalarNode], Any]:
    pattern, _, read_text = _SCALARS[kind]

    def construct(loader: _Loader, node: yaml.ScalarNode) -> object:
        text = loader.construct_scalar(node)
        try:
            if re.fullmatch(pattern, text):
                return read_text(text)
        except ValueError:  # Python reads no whole number of more than 4300 digits.
            pass
        shown = text if len(text) <= 40 else f"{text[:40]}…"
        raise FaultdiagError(
            f"line {node.start_mark.line + 1}: cannot read '{shown}' as {kind}; put it in quotes "
            "if it is text"
        )

    return construct


def _unique_mapping(loader: _Loader, node: yaml.MappingNode) -> Json:
    mapping: Json = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        line = key_node.start_mark.line + 1
        if not isinstance(key, str):
            raise FaultdiagError(f"line {line}: the key {key!r} is not text; put it in quotes")
        if key in mapping:
            raise FaultdiagError(
                f"line {line}: duplicate key '{printable(key)}'; keep one of the two"
            )
        mapping[key] = loader.construct_object(value_node, deep=True)
    return mapping


def _sequence(loader: _Loader, node: yaml.SequenceNode) -> list[object]:
    return [loader.construct_object(item, deep=True) for item in node.value]


_Loader.yaml_implicit_resolvers = {}
for _kind, (_pattern, _first, _) in _SCALARS.items():
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(
            f"tag:yaml.org,2002:{_kind}", re.compile(rf"^(?:{_pattern})$"), _first
        )
# Dates, sets and other types that a tag could ask for are refused.
_Loader.yaml_constructors = {
    **{f"tag:yaml.org,2002:{kind}": _scalar(kind) for kind in _SCALARS},
    "tag:yaml.org,2002:str": yaml.SafeLoader.construct_yaml_str,
    "tag:yaml.org,2002:seq": _sequence,
    "tag:yaml.org,2002:map": _unique_mapping,
    None: yaml.SafeLoader.construct_undefined,
}


def parse(text: str, source: str) -> Any:
    """Parse one YAML document.

    Raises
    ------
    FaultdiagError
        If it is not YAML or has a duplicate key; the message names `source` and the line.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # a SafeLoader
    except yaml.YAMLError as error:
        raise FaultdiagError(f"{source}{_problem(error, text)}") from error
    except FaultdiagError as error:
        raise FaultdiagError(f"{source}, {error}") from error
    except RecursionError as error:
        raise FaultdiagError(f"{source} is nested too deeply to be read") from error


def _problem(error: yaml.YAMLError, text: str) -> str:
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return f", line {line} is not YAML: it holds the control character {chr(error.character)!r}"
    mark = getattr(error, "problem_mark", None)
    place = f", line {mark.line + 1}" if mark else ""
    reasons = [getattr(error, name, None) for name in ("context", "problem")]
    return f"{place} is not YAML: {', '.join(reason for reason in reasons if reason)}"


# PyYAML takes 5 to 10 s for a megabyte. The config.yaml of a run can have twice its source's bytes.
_LONGEST_CONFIG = 2**21
_SHORTER = "list recordings in a manifest, or name another file"


def read(path: Path) -> object:
    """Read a YAML file of at most 2 MB.

    Raises
    ------
    FaultdiagError
        If the file can't be read or is not strict YAML.
    """
    try:
        text = read_bytes(path, _LONGEST_CONFIG, remedy=_SHORTER).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise FaultdiagError(
            f"cannot read {printable(str(path))}: {reason}; give a config file (`faultdiag init` "
            "writes one)"
        ) from error
    return parse(text, str(path))


def dump(value: object) -> str:
    """Return plain data as YAML that `parse` reads back as the same value."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def dump_flow(value: object) -> str:
    """Return plain data as YAML on one line."""
    return yaml.dump(
        value,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=True,
        width=float("inf"),
    )
