"""The command ``faultdiag fetch``: output, exit codes, and how to go on."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

import pytest

import faultdiag
from faultdiag.fetch import download as running
from tests.commands import done, refused, run
from tests.data_fixtures import contents
from tests.fetch import server as trick
from tests.fetch.server import Server


def test_what_came_and_whom_to_cite(server: Server, files: dict[str, bytes], folder: Path) -> None:
    text = done("fetch", "cwru", "--out", folder, "--base-url", server.url)
    megabytes = sum(map(len, files.values())) / 1e6
    lines = text.splitlines()
    assert lines[0] == (
        f"3 files of cwru in {folder}: 0 were there, 3 fetched ({megabytes:.1f} MB), 0 failed"
    )
    assert lines[2].startswith("licence:  ")
    assert lines[3].startswith("citation: Case Western Reserve University Bearing Data Center")
    assert text.count("citation") == 1
    again = done("fetch", "cwru", "--out", folder, "--base-url", server.url)
    assert ": 3 were there, 0 fetched (0.0 MB), 0 failed" in again


def test_the_usual_folder(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done("fetch", "cwru", "--base-url", server.url, "--only", "105", "--only", "118")
    assert set(contents(tmp_path / "data" / "cwru")) == {"105.mat", "118.mat"}


def test_failures_are_a_table_and_exit_code_1(server: Server, folder: Path) -> None:
    server.tricks["105.mat"] = [trick.says(403)]
    result = run("fetch", "cwru", "--out", folder, "--base-url", server.url)
    assert result.exit_code == 1
    assert result.stderr == "error: 1 of 3 files could not be fetched; see their reasons\n"
    row = next(line for line in result.stdout.splitlines() if line.startswith("  105"))
    assert row.split("  ")[1:] == [
        "105 (12k_DE, IR007, 0 hp)",
        f"{server.url}105.mat: the server answers 403 Forbidden",
    ]


def test_json(server: Server, files: dict[str, bytes], folder: Path) -> None:
    server.tricks["105.mat"] = [trick.says(404)]
    result = run("fetch", "cwru", "--out", folder, "--base-url", server.url, "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert set(document) == {"dataset", "folder", "licence", "citation", "files"}
    assert [row["status"] for row in document["files"]] == ["fetched", "failed", "fetched"]
    good, bad, _ = document["files"]
    assert (good["path"], good["received"]) == (str(folder / "97.mat"), len(files["97.mat"]))
    assert (bad["file"], bad["path"]) == ("105.mat", None)
    assert "404 Not Found" in bad["error"]


def test_an_interrupt_says_how_to_go_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "fetch", interrupted)
    words = ["fetch", "cwru", "--only", "12k_DE*", "--base-url", "http://h/a b", "--jobs", "2"]
    result = run(*words, "--out", "my data")
    assert result.exit_code == 130
    assert result.stderr == (
        "interrupted; continue with: faultdiag fetch cwru --out 'my data' --only '12k_DE*' "
        "--base-url 'http://h/a b' --jobs 2\n"
    )


@pytest.mark.real
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_signals_leave_parts_only(real_data: Path, folder: Path, number: int, code: int) -> None:
    content = (real_data / "cwru" / "12k_DE" / "105.mat").read_bytes()
    code_of_main = f"import sys; sys.path.insert(0, {str(Path(faultdiag.__file__).parents[1])!r})\n"
    code_of_main += "from faultdiag.cli.app import main; main()"
    words = ["fetch", "cwru", "--only", "105", "--out", str(folder)]
    with trick.serving({"105.mat": content}) as server:
        server.tricks["105.mat"] = [trick.hangs]
        process = subprocess.Popen(
            [sys.executable, "-c", code_of_main, *words, "--base-url", server.url],
            stderr=subprocess.PIPE,
            text=True,
        )
        part = folder / "105.mat.part"
        while not (part.exists() and part.stat().st_size > len(content) // 4):
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(number)
        _, errors = process.communicate()
        assert process.returncode == code
        assert set(contents(folder)) - {".faultdiag.lock"} == {"105.mat.part"}
        assert ("interrupted; continue with: faultdiag fetch cwru" in errors) == (code == 130)
        done(*words, "--base-url", server.url)
        assert contents(folder) == {"105.mat": content}
        assert server.requests[-1][1] is not None


@pytest.mark.parametrize("jobs", ["0", "17", "many"])
def test_jobs_are_few(jobs: str) -> None:
    assert run("fetch", "cwru", "--jobs", jobs).exit_code == 2


def test_unknown_names() -> None:
    refused(run("fetch", "cwur"), "unknown dataset to fetch 'cwur' (did you mean 'cwru'?)")
    refused(run("fetch", "folder"), "unknown dataset to fetch 'folder'; known: cwru, ")
    refused(run("fetch", "cwru", "--only", "999"), "--only '999' matches none of the 161 files")
