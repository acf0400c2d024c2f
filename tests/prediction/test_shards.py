"""Recordings in shards: disjoint, complete, and merged to the bytes of a single run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultdiag.errors import FaultdiagError
from faultdiag.prediction.predict import PredictionSettings, predict_paths
from faultdiag.prediction.shards import shard_file
from faultdiag.system.cluster import Shard, parse_shard
from tests.data_fixtures import write_many

# Half a surrogate pair, as file names have that are not UTF-8, is no text of hypothesis.
NAMES = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_many(tmp_path_factory.mktemp("many"), 9)


def predict(model: Path, folder: Path, **options: Any) -> tuple[int, int]:
    return predict_paths(model, [folder], PredictionSettings(device="cpu", **options))


@given(st.lists(NAMES, unique=True), st.integers(1, 12))
def test_every_name_is_in_exactly_one_shard(names: list[str], count: int) -> None:
    shards = [Shard(index, count) for index in range(count)]
    for name in names:
        assert sum(shard.has(name) for shard in shards) == 1


def test_shards_are_the_same_everywhere() -> None:
    names = ["data/a.mat", "ä.wav", "3.mat"]
    chosen = [next(i for i in range(5) if Shard(i, 5).has(name)) for name in names]
    assert Shard(0, 1).has(b"\xff.mat".decode("utf-8", "surrogateescape")), "not UTF-8"
    code = (
        "from faultdiag.system.cluster import Shard\n"
        f"print([next(i for i in range(5) if Shard(i, 5).has(n)) for n in {names!r}])"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.strip() == str(chosen)


@pytest.mark.parametrize("text", ["", "3", "4/3", "1/0", "-1/3", "a/b", "1/3 ", "1.5/3"])
def test_what_is_no_shard(text: str) -> None:
    with pytest.raises(FaultdiagError, match=r"--shard is '.*'; give number/count, such as 1/8 to"):
        parse_shard(text)


@pytest.mark.parametrize(("as_json", "first"), [(False, 1), (True, 0)])
def test_merged_shards_are_the_bytes_of_a_single_run(
    trained: Path, folder: Path, tmp_path: Path, as_json: bool, first: int
) -> None:
    files = {"out": tmp_path / "rows.csv", "windows": tmp_path / "windows.csv"}
    single = {name: tmp_path / f"single-{path.name}" for name, path in files.items()}
    assert predict(trained, folder, as_json=as_json, **single) == (9, 1)
    counts = [
        predict(trained, folder, as_json=as_json, shard=f"{first + i}/4", **files) for i in range(4)
    ]
    assert sum(recordings for recordings, _ in counts) == 9
    assert not files["out"].exists()
    assert predict(trained, folder, as_json=as_json, merge=True, **files) == (9, 1)
    for name, path in files.items():
        assert path.read_bytes() == single[name].read_bytes()


def test_a_killed_shard_is_missing_until_it_is_run_again(
    trained: Path, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "rows.csv"
    assert predict(trained, folder, out=tmp_path / "single.csv") == (9, 1)
    predict(trained, folder, out=out, shard="1/2")
    words = ["predict", str(trained), str(folder), "--out", str(out), "--shard", "2/2"]
    code = (
        "import sys, time\nfrom faultdiag.prediction import ahead\nreal = ahead.read_events\n"
        "def slow(*arguments):\n    time.sleep(0.3)\n    yield from real(*arguments)\n"
        "ahead.read_events = slow\nfrom faultdiag.cli.app import main\n"
        f"sys.argv = ['faultdiag', *{words!r}]\nmain()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "rows.csv.shards").glob("0-of-2*")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with pytest.raises(FaultdiagError, match=r"not finished: 0/2 \(0/2 is the same as 2/2\); run"):
        predict(trained, folder, out=out, merge=True)
    predict(trained, folder, out=out, shard="2/2", resume=True)
    predict(trained, folder, out=out, merge=True)
    assert out.read_bytes() == (tmp_path / "single.csv").read_bytes()


def test_what_is_not_merged(trained: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    with pytest.raises(
        FaultdiagError, match=r"rows\.csv\.shards holds no shards; run the same com"
    ):
        predict(trained, folder, out=out, merge=True)
    for index in (1, 2):
        predict(trained, folder, out=out, shard=f"{index}/2")
    with pytest.raises(
        FaultdiagError, match=r"was made with --channel None, now it is FE; give the"
    ):
        predict(trained, folder, out=out, merge=True, channel="FE")
    with pytest.raises(FaultdiagError, match=r"is of other recordings, such as .*; give the same"):
        predict(trained, folder / "0.mat", out=out, merge=True)
    file = shard_file(out, Shard(1, 2))
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    with pytest.raises(FaultdiagError, match=r"1-of-2\.csv is not as shard 1/2 left it; run the"):
        predict(trained, folder, out=out, merge=True)
    file.write_bytes(whole)
    predict(trained, folder, out=out, shard="1/3")
    with pytest.raises(FaultdiagError, match=r"holds shards of 2 and 3; delete those that don't"):
        predict(trained, folder, out=out, merge=True)
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shard": "1/2"}, "--shard needs the file that all shards are for; give it with --out"),
        ({"merge": True}, "--merge needs the file that all shards are for"),
        ({"merge": True, "shard": "1/2", "out": Path("o.csv")}, "--merge and --shard are given"),
        ({"merge": True, "resume": True, "out": Path("o.csv")}, "--merge and --resume are given"),
    ],
)
def test_options_that_contradict(
    trained: Path, folder: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(FaultdiagError, match=message):
        predict(trained, folder, **options)
