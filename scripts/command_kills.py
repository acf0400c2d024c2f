"""Kill `faultdiag prepare` or `faultdiag protocol` at random moments and compare what they write.

    python scripts/command_kills.py prepare|protocol [--kills 100] [--seed 0]

The command runs once uninterrupted. Then it is started again and again and killed with kill -9
after a random time, from its start to past its end. Whenever it comes to its end in spite of all,
what it wrote is compared with the uninterrupted one's: prepared data byte for byte, a protocol by
the figures of its cells; nothing else may be left behind. The exit code is 1 if anything differs.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from faultdiag.simulation.folder import simulate_folder
from faultdiag.system import files

TIMES = ("date", "seconds", "modified", "digest", "device", "versions")


def write_config(folder: Path) -> None:
    """Simulate ten recordings and write a config with a protocol of four small cells."""
    simulate_folder(folder / "recordings", seconds=2.0)
    train = {"epochs": 1, "batch_size": 64, "threads": 1}
    protocol = {"seeds": 4, "models": {"small": {}}, "protocols": {"within": {}}, "noise": None}
    document: dict[str, Any] = {
        "data": {"dataset": "synthetic", "root": "recordings", "prepared": "prepared"},
        "window": {"length": 1024, "stride": 256},
        "model": {"name": "cnn1d", "widths": [4, 8], "kernels": [7, 7]},
        "train": train,
        "protocol": protocol,
    }
    (folder / "kills.yaml").write_text(files.dump(document))


def start(command: str, folder: Path) -> "subprocess.Popen[str]":
    """Start the command in a folder that has the config."""
    words = [sys.executable, "-m", "faultdiag", command, "kills.yaml"]
    if command == "protocol":
        words += ["--out", "out", "--jobs", "1", "--device", "cpu"]
    return subprocess.Popen(
        words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def finished(process: "subprocess.Popen[str]", seconds: float | None) -> bool:
    """Wait so long, kill what still runs, and say whether it had ended well by itself."""
    try:
        _, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return False
    if process.returncode:
        raise SystemExit(f"a killed command did not run again:\n{errors}")
    return True


def without_times(value: Any) -> Any:
    """The same document without what differs between two equal runs."""
    if isinstance(value, dict):
        return {key: without_times(v) for key, v in value.items() if key not in TIMES}
    return [without_times(v) for v in value] if isinstance(value, list) else value


def content(folder: Path) -> dict[str, str]:
    """The digest of each file that the command wrote, whatever its name."""
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder)
        if name.parts[0] in {"recordings", "kills.yaml"} or name.suffix == ".png":
            continue
        data = path.read_bytes()
        if name.suffix in {".json", ".jsonl"}:
            rows = [without_times(json.loads(line)) for line in _documents(name, data)]
            data = json.dumps(sorted(rows, key=json.dumps), sort_keys=True).encode()
        # The tables of a protocol hold seconds; its results.json has all of their figures.
        is_table = name.parts[0] == "out" and name.suffix not in {".json", ".jsonl"}
        found[str(name)] = "table" if is_table else hashlib.sha256(data).hexdigest()
    return found


def _documents(name: Path, data: bytes) -> list[bytes]:
    if name.suffix == ".json":
        return [data]
    # The line that a kill cut off stays, and is passed over.
    return list({line: None for line in data.splitlines() if _is_json(line)})


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def clear(folder: Path) -> None:
    """Remove all that the command wrote."""
    for name in ("prepared", "out"):
        shutil.rmtree(folder / name, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("command", choices=["prepare", "protocol"])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    moments = random.Random(arguments.seed)
    kills = runs = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_config(folder)
        began = time.monotonic()
        finished(start(arguments.command, folder), None)
        whole, seconds = content(folder), time.monotonic() - began
        clear(folder)
        while kills < arguments.kills:
            if not finished(start(arguments.command, folder), moments.uniform(0, 1.1 * seconds)):
                kills += 1
                continue
            runs += 1
            found = content(folder)
            differing = [key for key in found | whole if found.get(key) != whole.get(key)]
            if differing:
                raise SystemExit(f"after {kills} kills these differ: {', '.join(differing)}")
            print(f"run {runs} is the same after {kills} kills in all", flush=True)
            clear(folder)
    print(f"{arguments.command}: {kills} kills, {runs} runs to their end, all the same")


if __name__ == "__main__":
    main()
