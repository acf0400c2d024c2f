"""Fetching from servers good and bad: what arrives is whole and right, or named in an error."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3

from faultdiag.errors import FaultdiagError
from faultdiag.fetch.download import ATTEMPTS, Download, FetchResults, fetch
from faultdiag.system.locks import HeldError, own_folder
from tests.data_fixtures import contents, full_disk
from tests.fetch import server as trick
from tests.fetch.server import Server


def get(server: Server, folder: Path, **options: Any) -> FetchResults:
    settings = {"base_url": server.url, "pause": 0.001, "timeout": 5.0, **options}
    return fetch("cwru", out=folder, **settings)


def statuses(fetched: FetchResults) -> dict[str, str]:
    return {row.file.file: row.status for row in fetched.files}


def error_of(fetched: FetchResults, file: str) -> str:
    rows = {row.file.file: row for row in fetched.files}
    assert rows[file].status == "failed"
    return rows[file].error or ""


def test_all_files_come_and_nothing_else_is_left(
    server: Server, files: dict[str, bytes], folder: Path
) -> None:
    calls: list[tuple[int, int, int]] = []
    fetched = get(server, folder, progress=lambda *numbers: calls.append(numbers))
    assert statuses(fetched) == dict.fromkeys(files, "fetched")
    assert contents(folder) == files
    assert sorted(server.names()) == sorted(files)
    assert calls[-1] == (3, 3, sum(map(len, files.values())))
    agents = {agent for _, _, agent in server.requests}
    assert all(agent and agent.startswith("faultdiag/") for agent in agents)


def test_what_is_there_is_not_fetched_again(
    server: Server, files: dict[str, bytes], folder: Path
) -> None:
    below = folder / "Normal Baseline"
    below.mkdir(parents=True)
    (below / "Time_Normal_0.mat").write_bytes(files["97.mat"])
    (folder / "105.mat").write_bytes(files["105.mat"])
    before = (folder / "105.mat").stat().st_mtime_ns
    fetched = get(server, folder)
    assert statuses(fetched) == {"97.mat": "present", "105.mat": "present", "118.mat": "fetched"}
    assert fetched.files[0].path == below / "Time_Normal_0.mat"
    assert server.names() == ["118.mat"]
    assert (folder / "105.mat").stat().st_mtime_ns == before
    server.requests.clear()
    assert set(statuses(get(server, folder)).values()) == {"present"}
    assert server.requests == []


@pytest.mark.parametrize("name", ["105.mat", "old/IR007_0_105.mat"])
def test_a_users_file_of_that_number_is_not_replaced(
    server: Server, folder: Path, name: str
) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"mine")
    fetched = get(server, folder, only=["105"])
    text = error_of(fetched, "105.mat")
    assert text == (
        f"{path} is there with other bytes than the published file; move or delete it, then "
        "fetch again"
    )
    assert server.requests == []
    assert contents(folder) == {name: b"mine"}


def test_a_file_under_another_recordings_number_blocks_that_one(
    server: Server, files: dict[str, bytes], folder: Path
) -> None:
    folder.mkdir()
    (folder / "105.mat").write_bytes(files["118.mat"])
    fetched = get(server, folder, only=["105", "118"])
    assert statuses(fetched) == {"105.mat": "failed", "118.mat": "present"}


def test_a_dropped_connection_goes_on_where_it_broke(
    server: Server, files: dict[str, bytes], folder: Path
) -> None:
    server.tricks["105.mat"] = [trick.dropped(50_000)] * 4
    row = get(server, folder, only=["105"]).files[0]
    assert row.status == "fetched"
    assert contents(folder) == {"105.mat": files["105.mat"]}
    starts = [int((asked or "bytes=0-")[6:-1]) for _, asked, _ in server.requests]
    assert starts[0] == 0
    assert len(starts) == 5
    assert all(later > earlier for earlier, later in pairwise(starts))
    assert row.received == len(files["105.mat"])


def test_progress_starts_the_count_of_attempts_anew(server: Server, folder: Path) -> None:
    server.tricks["105.mat"] = [trick.dropped(20_000)] * (2 * ATTEMPTS)
    assert get(server, folder, only=["105"]).failed == []


def test_without_ranges_it_starts_anew(
    server: Server, files: dict[str, bytes], folder: Path
) -> None:
    server.tricks["105.mat"] = [trick.dropped(50_000), trick.no_ranges]
    assert get(server, folder, only=["105"]).failed == []
    assert server.requests[1][1] is not None
    assert contents(folder) == {"105.mat": files["105.mat"]}


def test_a_part_of_an_earlier_run_is_gone_on_with(
    server: Server, files: dict[str, bytes], folder: Path
) -> None:
    folder.mkdir()
    (folder / "105.mat.part").write_bytes(files["105.mat"][:1000])
    row = get(server, folder, only=["105"]).files[0]
    assert server.requests[0][1] == "bytes=1000-"
    assert row.received == len(files["105.mat"]) - 1000
    assert contents(folder) == {"105.mat": files["105.mat"]}


@pytest.mark.parametrize("file", ["97.mat", "105.mat"])
def test_a_part_that_is_whole_needs_no_request(
    server: Server, files: dict[str, bytes], folder: Path, file: str
) -> None:
    folder.mkdir()
    (folder / f"{file}.part").write_bytes(files[file])
    assert get(server, folder, only=[file]).failed == []
    assert server.requests == []
    assert contents(folder) == {file: files[file]}


@pytest.mark.parametrize("length", [1000, 10**6])
@pytest.mark.parametrize("file", ["97.mat", "105.mat"])
def test_a_damaged_part_is_thrown_away(
    server: Server, files: dict[str, bytes], folder: Path, file: str, length: int
) -> None:
    folder.mkdir()
    (folder / f"{file}.part").write_bytes(b"x" * length)
    assert get(server, folder, only=[file]).failed == []
    assert contents(folder) == {file: files[file]}


def test_a_part_of_another_place_is_not_taken(
    server: Server, files: dict[str, bytes], folder: Path
) -> None:
    def elsewhere(handler: trick.Handler, content: bytes) -> None:
        length = len(content)
        handler.begin(206, ("Content-Range", f"bytes 5-{length - 1}/{length}"))

    folder.mkdir()
    (folder / "105.mat.part").write_bytes(files["105.mat"][:1000])
    server.tricks["105.mat"] = [elsewhere]
    assert get(server, folder, only=["105"]).failed == []
    assert [asked for _, asked, _ in server.requests] == ["bytes=1000-", None]
    assert contents(folder) == {"105.mat": files["105.mat"]}


def test_a_missing_file_fails_alone_and_at_once(
    server: Server, files: dict[str, bytes], folder: Path
) -> None:
    server.tricks["105.mat"] = [trick.says(404)]
    fetched = get(server, folder)
    text = error_of(fetched, "105.mat")
    assert text == f"{server.url}105.mat: the server answers 404 Not Found"
    assert server.names().count("105.mat") == 1
    assert set(contents(folder)) == {"97.mat", "118.mat"}


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_refusal_is_asked_again(
    server: Server, files: dict[str, bytes], folder: Path, status: int
) -> None:
    server.tricks["105.mat"] = [trick.says(status)] * (ATTEMPTS - 1)
    assert get(server, folder, only=["105"]).failed == []
    assert contents(folder) == {"105.mat": files["105.mat"]}


def test_at_last_it_gives_up(server: Server, folder: Path) -> None:
    server.tricks["105.mat"] = list(trick.always(trick.says(503)))
    text = error_of(get(server, folder, only=["105"]), "105.mat")
    assert text == f"{server.url}105.mat: the server answers 503 Service Unavailable, 5 times"
    assert len(server.requests) == ATTEMPTS
    assert contents(folder) == {}


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("dated", [False, True])
def test_it_waits_as_long_as_the_server_asks(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch, status: int, dated: bool
) -> None:
    waits: list[float] = []
    sleep = SimpleNamespace(sleep=waits.append, time=time.time)
    monkeypatch.setattr(urllib3.util.retry, "time", sleep)
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    server.tricks["105.mat"] = [trick.says(status, ("Retry-After", soon if dated else 7))]
    assert get(server, folder, only=["105"]).failed == []
    assert len(waits) == 1
    assert 90 < waits[0] <= 100 if dated else waits == [7.0]


def test_a_server_that_asks_for_an_hour_is_not_waited_for(server: Server, folder: Path) -> None:
    server.tricks["105.mat"] = [trick.says(503, ("Retry-After", 3600))]
    fetched = get(server, folder)
    assert "the server asks to wait 3600 s; try again then" in error_of(fetched, "105.mat")
    assert len(fetched.failed) == 1


@pytest.mark.parametrize("nonsense", ["soon", "-3", ""])
def test_a_retry_after_that_says_nothing(server: Server, folder: Path, nonsense: str) -> None:
    server.tricks["105.mat"] = [trick.says(503, ("Retry-After", nonsense))]
    assert get(server, folder, only=["105"]).failed == []


def test_redirects_are_followed(server: Server, files: dict[str, bytes], folder: Path) -> None:
    server.tricks["105.mat"] = [trick.says(302, ("Location", "/elsewhere/105.mat"))]
    assert get(server, folder, only=["105"]).failed == []
    assert contents(folder) == {"105.mat": files["105.mat"]}


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("/files/105.mat", "the server redirects in circles"),
        ("file:///etc/hosts", "the address cannot be used: "),
    ],
)
def test_redirects_to_nowhere(server: Server, folder: Path, place: str, reason: str) -> None:
    server.tricks["105.mat"] = list(trick.always(trick.says(302, ("Location", place))))
    assert reason in error_of(get(server, folder, only=["105"]), "105.mat")


@pytest.mark.parametrize("answer", [trick.trickles, trick.hangs])
def test_a_connection_that_stalls_is_tried_again(
    server: Server, files: dict[str, bytes], folder: Path, answer: trick.Answer
) -> None:
    server.tricks["105.mat"] = [answer]
    assert get(server, folder, only=["105"], timeout=0.3).failed == []
    assert len(server.requests) >= 2
    assert contents(folder) == {"105.mat": files["105.mat"]}


@pytest.mark.parametrize("length", [True, False])
def test_a_web_page_is_no_recording(
    server: Server, files: dict[str, bytes], folder: Path, length: bool
) -> None:
    page = b"<!DOCTYPE html><html><body>Sorry</body></html>"
    server.tricks["105.mat"] = list(trick.always(trick.sends(page, length=length)))
    assert error_of(get(server, folder), "105.mat") == (
        f"{server.url}105.mat: the server sent a web page in its place: its sha256 is "
        f"{sha256(page).hexdigest()}, expected {sha256(files['105.mat']).hexdigest()} "
        f"({len(page)} bytes, not {len(files['105.mat'])}); discarded"
    )
    assert server.names().count("105.mat") == 2
    assert set(contents(folder)) == {"97.mat", "118.mat"}


def test_wrong_bytes_once_are_forgiven(
    server: Server, files: dict[str, bytes], folder: Path
) -> None:
    wrong = files["105.mat"][:-1] + b"?"
    server.tricks["105.mat"] = [trick.sends(wrong)]
    assert get(server, folder, only=["105"]).failed == []
    assert contents(folder) == {"105.mat": files["105.mat"]}


@pytest.mark.parametrize("file", ["105.mat", "97.mat"])
def test_wrong_bytes_twice_fail(
    server: Server, files: dict[str, bytes], folder: Path, file: str
) -> None:
    wrong = files[file][:-1] + b"?"
    server.tricks[file] = list(trick.always(trick.sends(wrong)))
    text = error_of(get(server, folder), file)
    digests = [sha256(content).hexdigest() for content in (wrong, files[file])]
    assert text == (
        f"{server.url}{file}: its sha256 is {digests[0]}, expected {digests[1]}; discarded"
    )
    assert server.names().count(file) == 2
    assert file not in contents(folder)
    assert f"{file}.part" not in contents(folder)


def test_a_file_without_end_is_cut_off(
    server: Server, files: dict[str, bytes], folder: Path
) -> None:
    server.tricks["105.mat"] = [trick.sends(files["105.mat"] * 2)]
    text = error_of(get(server, folder, only=["105"]), "105.mat")
    assert f"the server sends more than its {len(files['105.mat'])} bytes" in text


def test_no_more_connections_than_jobs(server: Server, folder: Path) -> None:
    for name in server.files:
        server.tricks[name] = [trick.slow]
    get(server, folder, jobs=2)
    assert server.most_at_once <= 2
    assert len(server.requests) == 3


def test_a_server_that_is_not_there_ends_it(server: Server, folder: Path) -> None:
    server.socket.close()
    with pytest.raises(FaultdiagError, match=r"97\.mat cannot be reached: .*refused") as caught:
        get(server, folder, jobs=1)
    assert str(caught.value).endswith("refused, 5 times; fetch again to continue")
    assert contents(folder) == {}


def test_a_full_disk_ends_it_with_one_message(server: Server, folder: Path) -> None:
    with full_disk(4096), pytest.raises(FaultdiagError) as caught:
        get(server, folder, jobs=1)
    text = str(caught.value)
    assert text.startswith(f"cannot write {folder / '97.mat.part'}: File too large; free some ")
    assert server.names() == ["97.mat"]
    assert set(contents(folder)) == {"97.mat.part"}


def test_a_folder_that_cannot_be_made(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FaultdiagError, match=r"file is a file; name a folder with --out"):
        get(server, tmp_path / "file")
    with pytest.raises(FaultdiagError, match=r"cannot write .*below: Not a directory; "):
        get(server, tmp_path / "file" / "below", jobs=1)
    assert server.requests == []


def test_a_read_only_folder(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", forbidden)
    with pytest.raises(FaultdiagError, match=r"denied; choose a folder you may write to"):
        get(server, folder)
    assert server.requests == []


def test_two_fetches_do_not_meet(server: Server, files: dict[str, bytes], folder: Path) -> None:
    with own_folder(folder, "wait"), pytest.raises(HeldError, match="is being written by"):
        get(server, folder, only=["105"])
    assert server.requests == []
    assert get(server, folder, only=["105"]).failed == []


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Content-Length", "9" * 5000),
        ("Content-Length", "1_0"),
        ("Retry-After", "9" * 5000),
        ("Content-Range", f"bytes {'9' * 5000}-"),
    ],
)
def test_headers_that_are_no_numbers_are_errors_of_one_file(
    header: str, value: str, server: Server, folder: Path
) -> None:
    folder.mkdir()
    (folder / "105.mat.part").write_bytes(b"x")
    headers = [("Content-Range", "bytes 1-2/3"), (header, value)]
    if header == "Content-Range":
        headers = headers[1:]
    server.tricks["105.mat"] = [lambda handler, _: handler.begin(206, *headers)] * 40
    fetched = get(server, folder, only=["105", "97"])
    assert [result.status for result in fetched.files] == ["fetched", "failed"]
    assert len(error_of(fetched, "105.mat")) < 400


def test_an_interrupt_leaves_parts_only(
    server: Server, files: dict[str, bytes], folder: Path
) -> None:
    server.tricks["105.mat"] = [trick.hangs]

    def interrupt(done: int, every: int, received: int) -> None:
        if received > len(files["105.mat"]) // 2 - 9000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(server, folder, only=["105"], progress=interrupt)
    assert set(contents(folder)) == {"105.mat.part"}
    row = get(server, folder, only=["105"]).files[0]
    assert row.status == "fetched"
    assert 0 < row.received < len(files["105.mat"]) * 0.6
    assert contents(folder) == {"105.mat": files["105.mat"]}


def test_a_bug_in_a_worker_comes_out(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Download) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Download, "run", broken)
    with pytest.raises(ZeroDivisionError):
        get(server, folder)


@pytest.mark.parametrize(
    "url",
    [*("ftp://h/x", "files", "http://", "http://h:x/", "http://[::1", "http://h/?a=1", "h/x#y")],
)
def test_addresses_that_cannot_be(folder: Path, url: str) -> None:
    with pytest.raises(FaultdiagError, match=r"--base-url is '.*'; give the address of a folder"):
        fetch("cwru", out=folder, base_url=url)


def test_unknown_datasets(folder: Path) -> None:
    with pytest.raises(FaultdiagError, match=r"unknown dataset to fetch 'cwur' \(did you mean"):
        fetch("cwur", out=folder)


@pytest.mark.real
def test_real_recordings(real_data: Path, folder: Path) -> None:
    numbers = (105, 118, 122)
    paths = {p.name: p for p in (real_data / "cwru").rglob("*.mat")}
    content = {f"{n}.mat": paths[f"{n}.mat"].read_bytes() for n in numbers}
    with trick.serving(content) as server:
        server.tricks["105.mat"] = [trick.dropped(10**6)]
        fetched = get(server, folder, only=[str(n) for n in numbers])
    assert fetched.failed == []
    assert contents(folder) == content


@pytest.mark.real
def test_a_real_folder_is_verified_where_it_lies(real_data: Path) -> None:
    with trick.serving({}) as server:
        fetched = get(
            server,
            real_data / "cwru",
            only=[*(f"12k_DE_IR{size}*" for size in ("007", "014", "021")), "109", "118"],
        )
        assert server.requests == []
    assert set(statuses(fetched).values()) == {"present"}
    assert len(fetched.files) == 14
    assert all(row.path.is_relative_to(real_data) for row in fetched.files)
