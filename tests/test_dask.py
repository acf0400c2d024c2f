"""`--dask`: on a real cluster of two processes, with a worker killed in the middle."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask
import pytest
from distributed import LocalCluster

from faultdiag.errors import FaultdiagError
from faultdiag.prediction.diagnose import RemoteModel, diagnose_on_cluster
from faultdiag.prediction.predict import PredictionSettings, predict_paths
from faultdiag.prediction.reading import ReadRequest
from faultdiag.protocol.results import Row
from faultdiag.protocol.run import run_on_cluster
from faultdiag.system.cluster import DaskCluster, WorkersKilled
from tests.commands import done, refused, run
from tests.data_fixtures import write_many
from tests.protocol.cells import BROKEN, FINE, cell, config, work
from tests.protocol.test_command import written


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Address of a cluster that gives a task up when two of its workers were killed."""
    settings = {"distributed.scheduler.allowed-failures": 1, "logging.distributed": "critical"}
    options: dict[str, Any] = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with dask.config.set(settings), LocalCluster(**options) as cluster:
        yield cluster.scheduler_address


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_many(tmp_path_factory.mktemp("many"), 12)


def process_of(_: int) -> int:
    return os.getpid()


def predict(
    model: Path, paths: list[Path], on_row: Callable[[Any], None] = lambda _: None, **options: Any
) -> tuple[int, int]:
    settings = PredictionSettings(device="cpu", **options)
    return predict_paths(model, paths, settings, on_row=on_row)


def test_rows_are_those_of_this_machine_though_a_worker_is_killed(
    address: str, trained: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    paths = [Path(folder.name)]
    files = {name: tmp_path / f"{name}.csv" for name in ("out", "windows")}
    local = {name: tmp_path / f"local-{name}.csv" for name in files}
    assert predict(trained, paths=paths, **local) == (12, 1)
    with DaskCluster(address) as cluster:
        ((_, process),) = cluster.in_order(process_of, [0])
    rows: list[object] = []

    def kill_once(row: object) -> None:
        if not rows:
            os.kill(process, signal.SIGKILL)
        rows.append(row)

    assert predict(trained, paths=paths, dask=address, on_row=kill_once, **files) == (12, 1)
    assert len(rows) == 12
    for name, path in files.items():
        assert path.read_bytes() == local[name].read_bytes()


def test_a_recording_that_kills_its_workers_is_a_row(
    trained: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killing:
        def threads(self) -> int:
            return 1

        def in_order(self, work: Any, tasks: Any) -> Iterator[Any]:
            for task in tasks:
                bad = any(request.path.name == "7.mat" for request in task)
                yield task, WorkersKilled(4) if bad else work(task)

        def alone(self, work: Any, task: Any) -> Any:
            return next(self.in_order(work, [task]))[1]

    from faultdiag.datasets.base import sha256

    monkeypatch.setattr("faultdiag.prediction.diagnose.FEWEST_CHUNKS", 3)
    requests = [ReadRequest(folder / f"{number}.mat") for number in (5, 6, 7, 8, 9, 10)]
    model = RemoteModel(trained, sha256(trained / "best.pt"), "cpu")
    results = diagnose_on_cluster(
        Killing(),  # type: ignore[arg-type]
        model,
        requests,
        evidence=False,
        windows=False,
    )
    rows = list(results)
    assert [row.path for row in rows] == [str(request.path) for request in requests]
    assert [row.status for row in rows] == ["ok", "ok", "error", "ok", "ok", "ok"]
    assert "7.mat: 4 Dask workers that ran it were killed" in str(rows[2].error)


def test_another_model_on_the_workers_is_refused(address: str, trained: Path, folder: Path) -> None:
    requests = [ReadRequest(folder / "0.mat")]
    model = RemoteModel(trained, "0" * 64, "cpu")
    with (
        DaskCluster(address) as cluster,
        pytest.raises(FaultdiagError, match=r"a worker sees another file as .*put the model where"),
    ):
        list(diagnose_on_cluster(cluster, model, requests, evidence=False, windows=False))


def work_here(settings: Any, noise: tuple[float, ...]) -> Row:
    """Do the work of tests of protocols in the folder where the command was called."""
    return work(settings, noise, folder=Path())


def test_a_cell_that_fails_or_kills_its_workers_is_a_row_and_spoils_no_other(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cells = [cell(seed=seed, config=config(epochs=n)) for seed, n in enumerate((FINE, BROKEN, 3))]
    rows = {made.seed: row for made, row in run_on_cluster(cells, work_here, address)}
    assert rows[0]["accuracy"] == 0.5
    assert rows[1]["reason"] == "it broke"
    assert rows[2] == {"reason": f"{WorkersKilled(2)}"}
    assert set((tmp_path / "3-0").read_text().split()[1::2]) == {"1"}, "on one thread"


def test_the_table_of_a_protocol_is_that_of_this_machine(
    address: str, recordings: Path, tmp_path: Path
) -> None:
    section = {"models": {"A": {}}, "protocols": {"within": {}}, "seeds": 2}
    path = written(tmp_path, recordings, section)
    words = ("protocol", path, "--device", "cpu", "--out")
    done(*words, tmp_path / "local", "--jobs", 1, "--set", "train.threads=1")
    done(*words, tmp_path / "dask", "--dask", address, "--set", "train.threads=1")
    tables = [(tmp_path / name / "table.csv").read_bytes() for name in ("local", "dask")]
    assert tables[0] == tables[1]


@pytest.mark.parametrize("text", ["tcp://127.0.0.1:1", "nowhere", "\x1b[31m"])
def test_no_scheduler(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faultdiag.system.cluster.PATIENCE", 0.2)
    with pytest.raises(
        FaultdiagError, match="no Dask scheduler answers; give the address"
    ) as caught:
        DaskCluster(text)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("more", [["--jobs", "2"], ["--shard", "1/2"], ["--merge"]])
def test_what_does_not_go_with_it(
    more: list[str], trained: Path, folder: Path, config_file: Path, tmp_path: Path
) -> None:
    message = f"--dask and {more[0]} are given; the cluster's workers share out the"
    words = ["--out", tmp_path / "out", "--dask", "tcp://127.0.0.1:1", *more]
    refused(run("predict", trained, folder, *words), message)
    refused(run("protocol", config_file, *words), message)
