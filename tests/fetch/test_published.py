"""Fetching published sets: files in folders, archives, and files without an address."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from faultdiag.datasets import DATASETS
from faultdiag.datasets.published import PublishedFile
from faultdiag.errors import FaultdiagError
from faultdiag.fetch import sources
from faultdiag.fetch.download import fetch
from faultdiag.fetch.sources import source_of
from tests.commands import done, refused, run
from tests.data_fixtures import contents
from tests.fetch.server import Server, serving

NAMES = [name for name in DATASETS if hasattr(DATASETS.get(name), "published")]


def publish(
    name: str, files: Mapping[str, bytes], monkeypatch: pytest.MonkeyPatch, url: str = ""
) -> None:
    """Let a set consist of these files, with addresses below `url` if there is one."""
    dataset = DATASETS.get(name)
    published: Sequence[PublishedFile] = [
        PublishedFile(
            file, len(content), sha256(content).hexdigest(), url and url + Path(file).name
        )
        for file, content in files.items()
    ]
    known = replace(dataset.published, files=published)  # type: ignore[attr-defined]
    monkeypatch.setattr(sources, "published_sets", lambda: {name: known})


@pytest.mark.parametrize("name", NAMES)
def test_sources_are_complete(name: str) -> None:
    source = source_of(name)
    assert source.licence
    assert source.citation
    assert "://" in source.place
    assert len({file.sha256 for file in source.files}) == len(source.files) > 0
    for file in source.files:
        assert len(file.sha256) == 64
        assert file.length > 0
        assert not file.url or urlsplit(file.url).scheme == "https"
        assert source.named(file.file) == file.file


def test_files_keep_their_folders(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "gearbox/bearingset/ball_20_0.csv": b"1\n",
        "gearbox/bearingset/health_20_0.csv": b"2\n",
    }
    with serving({Path(file).name: content for file, content in files.items()}) as server:
        publish("seu", files, monkeypatch, server.url)
        done("fetch", "seu", "--out", folder, "--only", "ball_*")
        assert server.names() == ["ball_20_0.csv"]
        text = done("fetch", "seu", "--out", folder)
        assert "2 files of seu" in text
        assert ": 1 were there, 1 fetched" in text
        assert "unpack" not in text
    assert contents(folder) == files


def test_a_mirror_has_the_same_folders(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"HUST bearing dataset/N400 x.mat": b"recording"}
    publish("hust", files, monkeypatch)
    with serving({"N400%20x.mat": b"recording"}) as server:
        fetched = fetch("hust", out=folder, base_url=server.url)
        assert fetched.failed == []
        assert server.names() == ["N400%20x.mat"]
    assert contents(folder) == files


def test_a_recording_of_that_name_is_not_replaced(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("hust", {"HUST bearing dataset/N400.mat": b"recording"}, monkeypatch, "http://h/")
    mine = folder / "elsewhere" / "n400.mat"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    result = fetch("hust", out=folder).files[0]
    assert result.status == "failed"
    assert result.error == (
        f"{mine} is there with other bytes than the published file; move or delete it, then "
        "fetch again"
    )
    assert mine.read_bytes() == b"mine"


def test_archives_are_to_be_unpacked(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["K001.rar"] = b"archive"
    publish("paderborn", {"K001.rar": b"archive"}, monkeypatch, server.url)
    text = done("fetch", "paderborn", "--out", folder)
    assert f"\nunpack before training: {folder / 'K001.rar'}\n" in text


def test_files_without_an_address_fail_alone(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files["N400.mat"] = b"healthy"
    publish("hust", {"N400.mat": b"healthy"}, monkeypatch, server.url)
    known = sources.published_sets()["hust"]
    lost = PublishedFile("N502.mat", 3, "0" * 64, "")
    with_lost = replace(known, files=[*known.files, lost])
    monkeypatch.setattr(sources, "published_sets", lambda: {"hust": with_lost})
    result = run("fetch", "hust", "--out", folder)
    assert result.exit_code == 1
    assert "1 fetched (0.0 MB), 1 failed" in result.stdout
    assert f"no lasting address is known; get it from {known.source}" in result.stdout


def test_a_set_without_addresses_says_where_it_is(folder: Path) -> None:
    source = source_of("uored")
    assert not any(file.url for file in source.files)
    refused(
        run("fetch", "uored", "--out", folder),
        "no lasting address of the files of UORED-VAFCLS is known; get them from "
        f"{source.place}, unpack them into {folder}, then fetch again to check them",
    )
    assert not folder.exists()


def test_files_that_were_fetched_by_hand_are_checked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish("uored", {"H_1_0.mat": b"healthy"}, monkeypatch)
    (folder / "any").mkdir(parents=True)
    (folder / "any" / "name.mat").write_bytes(b"healthy")
    assert fetch("uored", out=folder).files[0].status == "present"


def test_only_public_sets_can_be_fetched(folder: Path) -> None:
    with pytest.raises(FaultdiagError, match="unknown dataset to fetch 'manifest'; known: cwru, "):
        fetch("manifest", out=folder)
