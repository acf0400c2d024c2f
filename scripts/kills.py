"""Kill a command at random moments, many times, and compare what it writes in the end.

    python scripts/kills.py train|prepare|protocol|predict [--kills 100] [--seed 0] [--jobs 1]

The command runs twice uninterrupted, for what it writes and as proof that this is comparable. Then
it is started again and again, `train` and `predict` with --resume, and killed with kill -9 after a
random time, from its start to past its end; how long that is, follows the runs themselves, since
another load of the machine and what the killed runs left change it. Whenever the command comes to
its end in spite of all, what it wrote is compared with the uninterrupted one's: prepared data and
rows byte for byte, weights bit for bit, a protocol by the figures of its cells. Nothing else may be
left behind, no file and no process. The exit code is 1 if anything differs.
"""

import argparse
import random
import tempfile
import time
from pathlib import Path

from small_commands import COMMANDS, Command, Written, clear, write_inputs, written

LATER, EARLIER = 1.1, 0.7  # the reach after a kill, and after an end


class Moments:
    """Random moments from the start of a command to past its end.

    They are uniform up to a reach that grows with each kill and shrinks with each end, so that
    about ``log(1.1) / log(1 / 0.7)``, 27 ends come on 100 kills however long the command takes.
    """

    def __init__(self, seconds: float, seed: int) -> None:
        self._reach, self._random = seconds, random.Random(seed)

    def draw(self) -> float:
        """Return the seconds after which the command is killed."""
        return self._random.uniform(0, self._reach)

    def learn(self, *, killed: bool) -> None:
        """Take into account whether the command still ran at the last moment."""
        self._reach *= LATER if killed else EARLIER


def words_of(command: str, jobs: int) -> list[str]:
    """Return the words of a command that continues what a killed one left."""
    words = COMMANDS[command]
    if command == "train":
        # Saves within an epoch more often than it does by itself.
        words = [*words, "--resume", "--save-every", "0.02"]
    return [*words, "--resume", "--jobs", str(jobs)] if command == "predict" else words


def uninterrupted(words: list[str], folder: Path) -> tuple[Written, float]:
    """Run a command to its end; return what it wrote and how many seconds it took."""
    began = time.monotonic()
    code, errors = Command(words, folder).result()
    if code:
        raise SystemExit(f"the command failed: {errors}")
    seconds, whole = time.monotonic() - began, written(folder)
    clear(folder)
    return whole, seconds


def require_equal(one: Written, other: Written, when: str) -> None:
    """End the script if two commands did not write the same."""
    if names := one.differing(other):
        raise SystemExit(f"{when} these differ: {', '.join(names)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("command", choices=["train", "prepare", "protocol", "predict"])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="processes that read, of predict")
    arguments = parser.parse_args()
    words = words_of(arguments.command, arguments.jobs)
    kills = ends = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_inputs(folder)
        whole, seconds = uninterrupted(words, folder)
        require_equal(whole, uninterrupted(words, folder)[0], "of two uninterrupted runs")
        moments = Moments(seconds, arguments.seed)
        while kills < arguments.kills:
            killed = Command(words, folder).killed(moments.draw())
            moments.learn(killed=killed)
            if killed:
                kills += 1
                continue
            ends += 1
            require_equal(whole, written(folder), f"after {kills} kills")
            print(f"end {ends} is the same after {kills} kills in all", flush=True)
            clear(folder)
        # What the last kills left is brought to its end too.
        Command(words, folder).killed(None)
        require_equal(whole, written(folder), f"after {kills} kills")
    files = len(whole.digests)
    print(f"{arguments.command}: {kills} kills, {ends + 1} ends, {files} files, all the same")


if __name__ == "__main__":
    main()
