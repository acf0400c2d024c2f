"""The whole corpus of broken files: one error each, no crash, no hang, little memory."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from faultdiag.readers.read import is_package, is_prose, is_recording
from tests.readers.broken import write

pytest.importorskip("nptdms")

# Reads every file in one process; what that process needed more than at its start is reported last.
_READ_ALL = """
import json, re, resource, sys
from pathlib import Path
import h5py, nptdms, numpy
from faultdiag.errors import FaultdiagError
from faultdiag.readers.read import list_variables, open_recording, read_recording

def outcome(read, path):
    try:
        read(path)
    except FaultdiagError as error:
        return str(error)
    return None

def peak():
    # Not ru_maxrss, which starts at what the parent had.
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

resource.setrlimit(resource.RLIMIT_CPU, (100, 100))
start = peak()
for path in map(Path, json.load(sys.stdin)):
    found = [outcome(read, path) for read in (list_variables, open_recording, read_recording)]
    print(json.dumps([str(path), found]), flush=True)
print(json.dumps(["", peak() - start]))
"""
_MOST_KB = 200_000


@dataclass(frozen=True)
class Reading:
    """What came of reading the corpus."""

    certain: dict[str, bool]
    outcomes: dict[str, list[str | None]]
    kilobytes: int


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("corpus")


@pytest.fixture(scope="module")
def reading(folder: Path) -> Reading:
    certain = {str(path): sure for path, sure in write(folder)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _READ_ALL],
        input=json.dumps(list(certain)),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    last = lines[-1][0] if lines else "the first file"
    assert done.returncode == 0, f"after {last}: {done.returncode}\n{done.stderr}"
    assert done.stderr == ""
    return Reading(certain, dict(lines[:-1]), lines[-1][1])


def test_the_corpus_is_large_and_broken(reading: Reading) -> None:
    refused = [path for path, found in reading.outcomes.items() if found[2] is not None]
    assert len(reading.outcomes) == len(reading.certain)
    assert len(refused) >= 400


def test_what_cannot_be_read_is_refused(reading: Reading) -> None:
    assert [
        Path(path).name
        for path, found in reading.outcomes.items()
        if reading.certain[path] and found[2] is None
    ] == []


def test_every_error_is_one_line_that_names_the_file_and_what_to_do(reading: Reading) -> None:
    for path, found in reading.outcomes.items():
        for message in found:
            if message is not None:
                assert message.startswith((path, beside(path))), message
                assert "bug in faultdiag" not in message, message
                assert len(message) > len(path) + 20, message
                assert "\n" not in message, message


def beside(path: str) -> str:
    """Return the name of the JSON file beside a recording, which is what is broken."""
    return str(Path(path).with_suffix(".json"))


def test_a_header_that_opens_is_read_or_refused_like_its_samples(reading: Reading) -> None:
    for path, (listed, opened, read) in reading.outcomes.items():
        # Whoever can't list it can't open it, whoever can't open it can't read it.
        assert listed is None or opened is not None, path
        assert opened is None or read == opened, path


def test_the_corpus_needs_little_memory(reading: Reading) -> None:
    assert 0 < reading.kilobytes < _MOST_KB


def has_a_row(path: Path) -> bool:
    """Return whether a folder's file is read: not text in words, nor a package of no recording."""
    return not (path.is_dir() or is_prose(path) or (is_package(path) and not is_recording(path)))


def test_predicting_gives_a_row_for_every_file(
    reading: Reading, folder: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from faultdiag.prediction.predict import PredictionSettings, predict_paths

    settings = PredictionSettings(as_json=True, sampling_rate=12_000.0, device="cpu", jobs=2)
    total, failed = predict_paths(trained, [folder], settings)
    rows = {row["path"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert set(rows) == {path for path in reading.certain if has_a_row(Path(path))}
    assert (total, failed) == (len(rows), sum(row["status"] == "error" for row in rows.values()))
    for path, row in rows.items():
        if reading.outcomes[path][2] is not None:
            assert row["status"] == "error", row
            assert path in row["error"] or beside(path) in row["error"]
            assert "was killed" not in row["error"]
