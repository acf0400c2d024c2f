"""Fixtures shared by all tests."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

from faultdiag.cli.exits import write_messages
from faultdiag.preparing.folder import Prepared
from faultdiag.preparing.prepare import prepare
from tests.data_fixtures import tiny_config, write_recordings

# A shell's background jobs ignore Ctrl-C, and so would the commands that tests start from there.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A law holds or it doesn't; how long an example takes on a busy machine is no part of it.
settings.register_profile("faultdiag", deadline=None)
settings.load_profile("faultdiag")

# Tests see the messages that the command line shows, whatever function they call.
write_messages()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real recordings; the test is skipped where none is named."""
    folder = os.environ.get("FAULTDIAG_REAL_DATA")
    if not folder:
        pytest.skip("FAULTDIAG_REAL_DATA names no folder of real recordings")
    path = Path(folder).resolve()
    if not (path / "cwru").is_dir():
        pytest.fail(f"FAULTDIAG_REAL_DATA is {folder!r} but has no folder cwru")
    return path


@pytest.fixture(scope="session")
def real_files(real_data: Path) -> list[Path]:
    """All real recordings, as the folder's own list of digests names them."""
    lines = (real_data / "SHA256SUMS").read_text().splitlines()
    names = [line.split(maxsplit=1)[1].lstrip("*") for line in lines if line.endswith(".mat")]
    paths = sorted(real_data / name for name in names)
    assert paths == sorted(real_data.rglob("*.mat"))
    assert paths
    return paths


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of three small recordings, N, IR and B; tests don't write to it."""
    return write_recordings(tmp_path_factory.mktemp("recordings"))


@pytest.fixture(scope="session")
def prepared_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where tests that are not about preparing keep prepared data."""
    return tmp_path_factory.mktemp("prepared")


@pytest.fixture(scope="session")
def prepared(recordings: Path, prepared_root: Path) -> Prepared:
    """The small recordings, prepared; tests don't write to them."""
    return prepare(tiny_config(recordings, prepared_root))


@pytest.fixture(scope="session")
def trained(
    recordings: Path, prepared_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Run folder of a training on `recordings`; tests don't write to it."""
    from faultdiag.api.train import train

    folder = tmp_path_factory.mktemp("runs") / "tiny"
    return train(tiny_config(recordings, prepared_root), run=folder, device="cpu").folder


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the pictures of a run out: they take longer than its training."""
    monkeypatch.setattr("faultdiag.api.train.draw_run", lambda _: None)


@pytest.fixture
def config_file(recordings: Path, prepared_root: Path, tmp_path: Path) -> Path:
    """A config file of a brief training on `recordings`."""
    path = tmp_path / "pumps.yaml"
    made = tiny_config(recordings, prepared_root, train__batch_size=32, train__epochs=2)
    path.write_text(made.to_yaml())
    return path


@pytest.fixture(autouse=True)
def log(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where tracebacks of bugs go in tests: not into the user's log."""
    path = tmp_path_factory.getbasetemp() / "faultdiag.log"
    monkeypatch.setenv("FAULTDIAG_LOG", str(path))
    return path


# Known failures, each to be repaired; they are run and shown, and do not stop the others.
