"""Read thousands of damaged recordings and measure what each one costs.

    python scripts/fuzz_readers.py [--cases 10000] [--seed 0] [--real DIR] [--keep DIR]

Each case is a sound file of some format with random changes: bits, bytes and numbers in its
header, pieces cut out, repeated or taken from another file; in packed formats also changes below
the packing, with right checksums above. `--real` adds real recordings to the seeds. A case is
listed, opened and read in a process that is killed after `LIMIT` seconds. The exit code is 1 if a
case

- raises anything but a `FaultdiagError` that names the file, or ends the process,
- takes more than 2 s of the processor and 0.2 s for each MB of the file,
- takes more memory than 200 MB and ten times the file.

`--keep` keeps the files of such cases there. The same seed gives the same cases.
"""

import argparse
import gzip
import io
import json
import random
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.readers import broken_packed, samples  # noqa: E402  # below the project's root

LIMIT = 30.0
CHUNK = 250
SECONDS, SECONDS_PER_MB = 2.0, 0.2
MEGABYTES, TIMES_SIZE = 200.0, 10.0
# Files above this are cut before they are changed: the interesting bytes come first.
LARGEST_SEED = 4_000_000

# Reads the paths that come on stdin and writes a line before and after each one.
READER = """
import json, os, re, sys, time
from pathlib import Path
import h5py, nptdms, numpy, scipy.io
from faultdiag.errors import FaultdiagError
from faultdiag.readers.read import list_variables, open_recording, read_recording

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

def used():
    return sum(os.times()[:4])  # with that of programs that were started

def outcome(path):
    found = "read"
    for read in (list_variables, open_recording, read_recording):
        try:
            read(path)
        except FaultdiagError as error:
            found = "refused" if str(path) in str(error) else f"unnamed: {error}"
        except BaseException as error:
            return f"{type(error).__name__}: {error}"
    return found

for suffix in (".mat", ".csv"):  # what is imported at the first file is not that file's cost
    outcome(Path(f"missing{suffix}"))
print("ready", flush=True)
for line in sys.stdin:
    path = Path(json.loads(line))
    Path("/proc/self/clear_refs").write_text("5")  # reset the peak
    before, began = peak(), used()
    found = outcome(path)
    print(json.dumps([found, used() - began, (peak() - before) / 1024]), flush=True)
"""

NUMBERS: tuple[int, ...] = (
    0,
    1,
    2,
    7,
    127,
    128,
    255,
    256,
    1000,
    2**15,
    2**16 - 1,
    2**24,
    2**31 - 1,
    2**31,
)
NUMBERS += (2**32 - 1, 2**40, 2**62, 2**63 - 1, 2**64 - 1)
WORDS: tuple[bytes, ...] = (
    b"nan",
    b"1e999",
    b"-",
    b'"',
    b"'",
    b",,,,",
    b";",
    b"\t",
    b"# ",
    b"\r",
    b"\n\n",
    b" " * 3000,
)
WORDS += (b"9" * 5000, b"0x10", b"fs = 12000", b"a" * 9000, b"(" * 500, b"1," * 5000, b"\xff\xfe")


def flip_bits(content: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice([1, 1, 3, 30])):
        content[_place(content, chance)] ^= 1 << chance.randrange(8)


def set_number(content: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice([1, 1, 2, 5])):
        width = chance.choice([1, 2, 4, 8])
        number = chance.choice(NUMBERS) % 256**width
        place = _place(content, chance) // min(width, 4) * min(width, 4)
        order = chance.choice(["little", "little", "big"])
        content[place : place + width] = number.to_bytes(width, order)[: len(content) - place]


def cut_out(content: bytearray, chance: random.Random) -> None:
    place = _place(content, chance)
    del content[place : place + chance.choice([1, 4, 8, 100, 10_000])]


def cut_off(content: bytearray, chance: random.Random) -> None:
    del content[_place(content, chance) :]


def repeat(content: bytearray, chance: random.Random) -> None:
    place = _place(content, chance)
    piece = content[place : place + chance.choice([1, 8, 64, 1000])]
    content[place:place] = piece * chance.choice([1, 10, 200])


def insert_word(content: bytearray, chance: random.Random) -> None:
    place = _place(content, chance)
    content[place:place] = chance.choice(WORDS)


def _place(content: bytearray, chance: random.Random) -> int:
    """A place in the content, half of the time near its beginning or its end."""
    size = max(len(content), 1)
    near = min(size, chance.choice([64, 512, 2048, size, size]))
    place = chance.randrange(near)
    return size - 1 - place if chance.random() < 0.1 else place


CHANGES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    *(flip_bits, flip_bits, set_number, set_number, set_number),
    *(cut_out, cut_off, repeat, insert_word),
)


def changed(content: bytes, chance: random.Random) -> bytes:
    """Some content with one to three random changes."""
    found = bytearray(content)
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        if found:
            chance.choice(CHANGES)(found, chance)
    return bytes(found)


def below_packing(content: bytes, suffix: str, chance: random.Random) -> bytes:
    """The same, changed below the packing where the format has one."""
    try:
        if suffix in {".npz", ".zip", ".xlsx"}:
            return _rezip(content, chance)
        if suffix == ".gz":
            return gzip.compress(changed(gzip.decompress(content), chance), 1)
        if suffix == ".mat" and content[124:128] == b"\0\1IM":
            return _repack(content, chance)
    except (OSError, ValueError, zlib.error, zipfile.BadZipFile, struct.error):
        pass
    return changed(content, chance)


def _rezip(content: bytes, chance: random.Random) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(file, "w") as after:
        for member in before.infolist():
            how = chance.choice([member.compress_type, zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
            inside = before.read(member)
            inside = changed(inside, chance) if chance.random() < 0.7 else inside
            after.writestr(member.filename, inside, compress_type=how)
    return file.getvalue()


def _repack(content: bytes, chance: random.Random) -> bytes:
    found, place = content[:128], 128
    while place + 8 <= len(content):
        kind, length = struct.unpack_from("<II", content, place)
        inside = content[place + 8 : place + 8 + length]
        if kind == 15:
            inside = zlib.compress(changed(zlib.decompress(inside), chance), 1)
        found += struct.pack("<II", kind, len(inside)) + inside
        place += 8 + length
    return found


@dataclass(frozen=True)
class Seed:
    """A sound file: its name, whose end decides the reader, and its bytes."""

    name: str
    content: bytes

    @property
    def suffix(self) -> str:
        """Its end, which decides the reader."""
        return Path(self.name).suffix


def packed() -> dict[str, bytes]:
    """Sound files of the packed formats and of those with a package of their own."""
    return {f"packed_{name}": content for name, content in broken_packed.whole().items()}


def seeds(real: Path | None) -> list[Seed]:
    """Small files of every format, and real recordings, cut where they are large."""
    found = [Seed(name, content) for name, content in (samples.whole() | packed()).items()]
    paths = sorted(p for p in real.rglob("*") if p.is_file()) if real else []
    for path in paths:
        if path.suffix.lower() in {".mat", ".csv", ".wav", ".npy", ".npz", ".tdms", ".h5"}:
            with path.open("rb") as file:
                found.append(Seed(path.name, file.read(LARGEST_SEED)))
    return found


def case(number: int, seed: int, found: list[Seed]) -> tuple[str, bytes]:
    """The file name and content of a case."""
    chance = random.Random(f"{seed}/{number}")
    start = found[number % len(found)]
    kind = chance.random()
    if kind < 0.3:
        content = below_packing(start.content, start.suffix, chance)
    elif kind < 0.4:
        other = chance.choice(found).content
        place = chance.randrange(len(start.content))
        content = start.content[:place] + other[chance.randrange(len(other)) :]
    else:
        content = changed(start.content, chance)
    stem, _, ends = start.name.partition(".")
    return f"{number}_{stem}.{ends}", content


@dataclass
class Result:
    """What came of the cases of one format."""

    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    megabytes: float = 0.0


class Reader:
    """A process that reads one file after another."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", READER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def read(self, path: Path) -> tuple[str, float, float]:
        """Outcome, seconds and megabytes of a file."""
        import selectors

        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(str(path)) + "\n")
        stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            if not selector.select(LIMIT + 10):
                self.close()
                return f"still busy after {LIMIT} s", LIMIT, 0.0
        line = stdout.readline()
        if not line:
            self._process.wait()
            errors = self._process.stderr.read() if self._process.stderr else ""
            return f"the process ended: {self._process.returncode} {errors[-300:]}", 0.0, 0.0
        outcome, seconds, megabytes = json.loads(line)
        return outcome, seconds, megabytes

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


def judge(outcome: str, seconds: float, megabytes: float, size: int) -> str | None:
    """Why a case is a fault, or None."""
    if outcome not in {"read", "refused"}:
        return outcome
    if seconds > SECONDS + SECONDS_PER_MB * size / 1e6:
        return f"{seconds:.1f} s for {size} bytes"
    if megabytes > MEGABYTES + TIMES_SIZE * size / 1e6:
        return f"{megabytes:.0f} MB for {size} bytes"
    return None


def run(arguments: argparse.Namespace) -> tuple[dict[str, Result], list[str]]:
    """Read all cases; give the results by format and the faults."""
    found = seeds(arguments.real)
    results: dict[str, Result] = defaultdict(Result)
    faults: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        reader = Reader()
        for number in range(arguments.first, arguments.first + arguments.cases):
            if not reader.alive or number % CHUNK == 0:
                reader.close()
                reader = Reader()
            file, content = case(number, arguments.seed, found)
            path = Path(name) / file
            path.write_bytes(content)
            measured = reader.read(path)
            row = results[path.suffix]
            row.outcomes[measured[0] if measured[0] in {"read", "refused"} else "fault"] += 1
            row.seconds = max(row.seconds, measured[1])
            row.megabytes = max(row.megabytes, measured[2])
            if (why := judge(*measured, len(content))) is not None:
                faults.append(f"case {number} ({file}): {why}")
                print(faults[-1], flush=True)
                if arguments.keep:
                    arguments.keep.mkdir(parents=True, exist_ok=True)
                    (arguments.keep / file).write_bytes(content)
            path.unlink()
        reader.close()
    return results, faults


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--real", type=Path)
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    began = time.monotonic()
    results, faults = run(arguments)
    print(
        f"{'format':8} {'cases':>6} {'read':>6} {'refused':>8} {'fault':>6} {'most s':>7} {'MB':>5}"
    )
    for suffix, row in sorted(results.items()):
        counts = [row.outcomes[what] for what in ("read", "refused", "fault")]
        print(
            f"{suffix:8} {sum(counts):8} {counts[0]:8} {counts[1]:8} {counts[2]:8} "
            f"{row.seconds:8.2f} {row.megabytes:8.0f}"
        )
    print(f"{arguments.cases} cases, {len(faults)} faults, {time.monotonic() - began:.0f} s")
    raise SystemExit(bool(faults))


if __name__ == "__main__":
    main()
