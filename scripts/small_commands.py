"""Small commands of faultdiag for `kills.py` and `simultaneous_starts.py`, and what they wrote.

Every command is started in a copy of one process that has imported everything: what takes time is
the command itself, and not the imports.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from faultdiag.simulation.folder import simulate_folder
from faultdiag.system import files

COMMANDS: dict[str, list[str]] = {
    "train": ["train", "c.yaml", "--run", "run", "--device", "cpu"],
    "prepare": ["prepare", "c.yaml"],
    "protocol": ["protocol", "c.yaml", "--out", "out", "--jobs", "1", "--device", "cpu"],
    "predict": [
        *("predict", "model", "recordings", "--out", "rows.csv", "--windows", "windows.csv"),
        *("--device", "cpu"),
    ],
    "watch": ["watch", "model", "recordings", "--out", "watched.csv", "--once", "--every", "0.3"],
    "fetch": ["fetch", "cwru", "--out", "fetched"],
}
"""The words of each command; `fetch` needs ``--base-url`` too."""
# What the commands find; everything else in the folder they wrote.
_INPUTS = {"recordings", "c.yaml", "model", "model_prepared", "served"}
# What differs between two equal runs.
_VARYING = {"date", "seconds", "modified", "digest", "device", "versions", "started", "ended"}
_MODELS = {".pt"}
_TABLES = {".csv", ".md", ".tex"}
_PATIENCE = 10.0  # seconds in which the helpers of a killed process must have ended


def write_inputs(folder: Path) -> None:
    """Simulate recordings, write a config whose commands are short, and train a model."""
    simulate_folder(folder / "recordings", seconds=2.0)
    model = {"name": "cnn1d", "widths": [4, 8], "kernels": [7, 7], "dropout": 0.3}
    train = {"epochs": 3, "batch_size": 32, "schedule": "one_cycle", "threads": 1}
    document: dict[str, Any] = {
        "data": {"dataset": "synthetic", "root": "recordings", "prepared": "prepared"},
        "window": {"length": 1024, "stride": 128},
        "model": {**model, "attention": {"name": "eca", "after": [2]}},
        "train": {**train, "balance": "sampling", "augment": {"shift": 50, "snr": [0, 20]}},
        "protocol": {"seeds": 3, "models": {"a": {}}, "protocols": {"within": {}}, "noise": None},
    }
    (folder / "c.yaml").write_text(files.dump(document))
    words = ["train", "c.yaml", "--run", "model", "--set", "data.prepared=model_prepared"]
    code, errors = Command(words, folder).result()
    if code:
        raise SystemExit(f"the model was not trained: {errors}")


@cache
def _context() -> Any:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    context = get_context("forkserver")
    modules = [
        "api.train",
        "api.protocol",
        "prediction.predict",
        "prediction.watch",
        "fetch.download",
    ]
    names = ["cli.app", "report.training", "report.figures", *modules]
    context.set_forkserver_preload(["torch", "small_commands", *(f"faultdiag.{n}" for n in names)])
    return context


class Command:
    """A command line that runs in a process group of its own."""

    def __init__(self, words: list[str], folder: Path, begin: Any = None) -> None:
        self._results, results = _context().Pipe(duplex=False)
        arguments = (words, str(folder), begin, results)
        self._process = _context().Process(target=_run, args=arguments)
        self._process.start()
        results.close()

    def killed(self, seconds: float | None) -> bool:
        """Kill the command if it still runs after so long, and return whether it did.

        Raises
        ------
        SystemExit
            If it had ended with an error, or its helpers outlive it.
        """
        self._process.join(seconds)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
            self._require_no_helpers()
            return True
        code, errors = self.result()
        if code:
            raise SystemExit(f"a killed command did not run again:\n{errors}")
        return False

    def result(self) -> tuple[int, str]:
        """Wait for the end, and return the exit code and the messages."""
        end: tuple[int, str] = self._results.recv()
        self._process.join()
        self._require_no_helpers()
        return end

    def _require_no_helpers(self) -> None:
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            try:
                os.killpg(self._process.pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.02)
        raise SystemExit(f"processes of a command run on, {_PATIENCE:g} s after its end")


def new_event() -> Any:
    """Return an event that commands can wait for."""
    return _context().Event()


def _run(words: list[str], folder: str, begin: Any, results: Any) -> None:
    import sys

    from typer.testing import CliRunner

    from faultdiag.cli.app import app
    from faultdiag.training import session

    os.setsid()
    os.chdir(folder)
    if "--save-every" in words:
        at = words.index("--save-every")
        session.SAVE_EVERY = float(words[at + 1])
        words = words[:at] + words[at + 2 :]
    sys.argv = ["faultdiag", *words]
    if begin is not None:
        begin.wait()
    if words[0] == "fetch":
        _serve_own_catalogue(Path("served"))
    result = CliRunner().invoke(app, words)
    results.send((result.exit_code, result.stderr))


def _serve_own_catalogue(folder: Path) -> None:
    """Let the published files of CWRU be those of a folder."""
    from dataclasses import replace

    from faultdiag.datasets import cwru
    from faultdiag.datasets.base import sha256
    from faultdiag.fetch import sources

    published = cwru.catalogue()
    known = {
        int(path.stem): replace(
            published[int(path.stem)], bytes=path.stat().st_size, sha256=sha256(path)
        )
        for path in folder.iterdir()
    }
    vars(sources)["catalogue"] = lambda: known


@dataclass(frozen=True, slots=True)
class Written:
    """What a command wrote: the digest of each file, by its name."""

    digests: Mapping[str, str]

    def differing(self, other: "Written") -> list[str]:
        """Return the names of the files that two commands did not write alike."""
        names = sorted({*self.digests, *other.digests})
        return [name for name in names if self.digests.get(name) != other.digests.get(name)]


def written(folder: Path) -> Written:
    """Return what a command wrote: bytes, weights and figures, without times and pictures."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder): path for path in paths}
    return Written(
        {str(n): _digest(n, path) for n, path in names.items() if n.parts[0] not in _INPUTS}
    )


def _digest(name: Path, path: Path) -> str:
    if name.suffix in _MODELS:
        return _digest_of_model(path)
    # The tables of a protocol hold seconds; its results.json has all of their figures.
    if name.suffix in {".png", ".log"} or (name.parts[0] == "out" and name.suffix in _TABLES):
        return "there"
    data = path.read_bytes()
    if name.name == "history.csv":
        data = _without_last_column(data)
    if name.suffix in {".json", ".jsonl"}:
        rows = sorted(json.dumps(_without_varying(row), sort_keys=True) for row in _rows(data))
        data = "\n".join(dict.fromkeys(rows)).encode()
    return hashlib.sha256(data).hexdigest()


def _without_last_column(data: bytes) -> bytes:
    """Leave out the seconds of each epoch."""
    return b"\n".join(line.rpartition(b",")[0] for line in data.splitlines())


def _rows(data: bytes) -> Iterator[Any]:
    """Iterate over a document, or over lines; one that a kill cut off stays, and is passed over."""
    try:
        yield json.loads(data)
        return
    except ValueError:
        pass
    for line in data.splitlines():
        with suppress(ValueError):
            yield json.loads(line)


def _digest_of_model(path: Path) -> str:
    from faultdiag.checkpoint import load

    checkpoint, digest = load(path), hashlib.sha256()
    for name, values in sorted(checkpoint.model.items()):
        digest.update(name.encode() + values.numpy().tobytes())
    return digest.hexdigest()


def _without_varying(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_varying(v) for key, v in value.items() if key not in _VARYING}
    return [_without_varying(v) for v in value] if isinstance(value, list) else value


def clear(folder: Path) -> None:
    """Remove all that commands wrote."""
    for path in folder.iterdir():
        if path.name not in _INPUTS:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
