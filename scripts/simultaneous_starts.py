"""Start the same command twice at once, many times: never do both write one output and succeed.

    python scripts/simultaneous_starts.py [--starts 200] [--seed 0] [COMMAND …]

Pairs of `train`, `prepare`, `protocol`, `predict --out`, `watch` and `fetch` with one output are
started at the same moment or shortly apart. One of a pair does the work. The other exits with 1 and
names the owner (command, process, since when), or it came late: then it says that the work is done
or that the output exists. What is written must be what one command alone writes, and nothing may be
left behind. The exit code is 1 otherwise.
"""

import argparse
import random
import re
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import scipy.io
from small_commands import COMMANDS, Command, Written, clear, new_event, write_inputs, written

_OWNER = re.compile(r"is being written by `faultdiag .*` \(process \d+, since [\d: -]+\)")
_SHORTER = {"train": ["--set", "train.epochs=1"], "protocol": ["--seeds", "1"]}
# The numbers of the files that `fetch` gets.
_SERVED = (97, 105, 118)


class _Handler(SimpleHTTPRequestHandler):
    """Serve files after a moment, and count the requests."""

    requests: ClassVar[Counter[str]] = Counter()

    def do_GET(self) -> None:
        self.requests[self.path] += 1
        time.sleep(0.1)
        super().do_GET()

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve recordings of a folder on loopback, and yield the address."""
    folder.mkdir()
    for number in _SERVED:
        values = np.random.default_rng(number).standard_normal(20_000)
        scipy.io.savemat(folder / f"{number}.mat", {f"X{number:03}_DE_time": values})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def pair(words: list[str], folder: Path, apart: float) -> list[tuple[int, str]]:
    """Start two processes with one command, so many seconds apart, and return how they ended."""
    begin = new_event()
    first = Command(words, folder, begin)
    time.sleep(apart)
    second = Command(words, folder, begin)
    begin.set()
    return [command.result() for command in (first, second)]


def verdict(command: str, ends: list[tuple[int, str]], folder: Path, whole: Written) -> str:
    """Say what happened to a pair; "wrong" in front of what must not be."""
    codes = sorted(code for code, _ in ends)
    if names := whole.differing(written(folder)):
        return f"wrong: codes {codes}, {', '.join(names)} differ from those of one command"
    if codes == [0, 1]:
        named = any(code and _OWNER.search(errors) for code, errors in ends)
        return "one refused, named the owner" if named else "one refused, found it finished"
    late = command in {"prepare", "watch", "fetch"} and codes == [0, 0]
    if late and all(count == 1 for count in _Handler.requests.values()):
        return "the second came late and found nothing left to do"
    return f"wrong: exit codes {codes}: {[errors[-300:] for _, errors in ends]}"


def count_verdicts(
    commands: dict[str, list[str]], folder: Path, starts: int, seed: int
) -> dict[str, Counter[str]]:
    """Start so many pairs, the commands in turn, and count what happened to each."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in commands}
    whole: dict[str, Written] = {}
    chance = random.Random(seed)
    for number in range(starts):
        command = list(commands)[number % len(commands)]
        if command not in whole:
            code, errors = Command(commands[command], folder).result()
            if code:
                raise SystemExit(f"{command} failed: {errors}")
            whole[command] = written(folder)
        clear(folder)
        _Handler.requests.clear()
        ends = pair(commands[command], folder, chance.choice([0, 0, 0.02, 0.2]))
        end = verdict(command, ends, folder, whole[command])
        counts[command][end] += 1
        print(f"pair {number + 1}, {command}: {end}", flush=True)
        clear(folder)
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("commands", nargs="*", choices=[[], *COMMANDS], metavar="COMMAND")
    parser.add_argument("--starts", type=int, default=200, help="pairs in all")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, serving(Path(name) / "served") as address:
        folder = Path(name)
        write_inputs(folder)
        commands = {c: [*COMMANDS[c], *_SHORTER.get(c, ())] for c in arguments.commands or COMMANDS}
        if "fetch" in commands:
            commands["fetch"] = [*commands["fetch"], "--base-url", address]
        counts = count_verdicts(commands, folder, arguments.starts, arguments.seed)
    for command, rows in counts.items():
        print(command, dict(rows))
    raise SystemExit(any("wrong" in row for rows in counts.values() for row in rows))


if __name__ == "__main__":
    main()
