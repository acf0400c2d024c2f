"""A small catalogue of simulated recordings, and a server that has them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from faultdiag.datasets import cwru as cwru_catalogue
from faultdiag.datasets.base import git_blob_sha1, sha256
from faultdiag.datasets.cwru import Known
from faultdiag.fetch import sources
from tests.data_fixtures import write_recording
from tests.fetch.server import Server, serving

NUMBERS = (97, 105, 118)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The bytes of three recordings, now the only ones of the catalogue."""
    real = cwru_catalogue.catalogue()
    made, known = {}, {}
    for number in NUMBERS:
        path = write_recording(tmp_path / "origin.mat", number, samples=20_000)
        made[f"{number}.mat"] = path.read_bytes()
        known[number] = Known(
            facts=real[number].facts,
            bytes=path.stat().st_size,
            sha256=sha256(path),
            git_blob_sha1=git_blob_sha1(path),
        )
        path.unlink()
    monkeypatch.setattr(sources, "catalogue", lambda: known)
    return made


@pytest.fixture
def server(files: dict[str, bytes]) -> Iterator[Server]:
    with serving(files) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cwru"
