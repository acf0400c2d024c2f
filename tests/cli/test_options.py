"""No command writes over what it reads."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from faultdiag.cli.app import app
from faultdiag.cli.options import RUN_FILES
from faultdiag.simulation.folder import simulate_folder
from faultdiag.training.run_folder import ARTEFACTS


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with recordings and with what looks like a run."""
    folder = tmp_path_factory.mktemp("work")
    simulate_folder(folder / "sim", seconds=1.0)
    (folder / "run").mkdir()
    for name in ("best.pt", "metrics.json"):
        (folder / "run" / name).write_text("{}")
    (folder / "link.mat").symlink_to("sim/105.mat")
    os.link(folder / "sim/105.mat", folder / "hard.mat")
    return folder


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ("report run sim/105.mat --out sim/105.mat", "--out"),
        ("report run sim --out sim/105.mat", "--out"),
        ("report run sim --out link.mat", "--out"),
        ("report run sim/105.mat --out hard.mat", "--out"),
        ("report run --out run/best.pt", "--out"),
        ("report run --format json --out run/metrics.json", "--out"),
        ("export run/best.pt --out run/best.pt", "--out"),
        ("explain run sim/105.mat --plot sim/105.mat", "--plot"),
        ("inspect sim/105.mat --plot sim/105.mat", "--plot"),
        ("trend sim --plot sim/118.mat", "--plot"),
        ("watch run sim --once --out sim/105.mat", "--out"),
        ("predict run sim --out rows.csv --windows sim/105.mat", "--windows"),
    ],
)
def test_what_is_read_is_never_written(
    words: str, option: str, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(work)
    before = {path: path.read_bytes() for path in work.rglob("*") if path.is_file()}
    result = CliRunner().invoke(app, words.split())
    assert result.exit_code == 1
    assert f"{option} " in result.stderr
    assert f"is what the command reads; give another file with {option}" in result.stderr
    assert {path: path.read_bytes() for path in work.rglob("*") if path.is_file()} == before


def test_the_files_of_a_run_are_known() -> None:
    assert set(ARTEFACTS) >= RUN_FILES


@pytest.mark.parametrize(
    ("plot", "message"),
    [
        ("a.pdf", "a PNG is drawn, so give a name that ends in .png"),
        ("folder.png", "is a folder; name a file in it"),
        ("none/a.png", "the folder none does not exist; make it, or name another"),
    ],
)
@pytest.mark.parametrize("words", ["explain run sim/105.mat", "inspect sim/105.mat", "trend sim"])
def test_a_picture_that_cannot_be_drawn_is_named_before_the_work(
    words: str, plot: str, message: str, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(work)
    Path("folder.png").mkdir(exist_ok=True)
    # The run can't be loaded: its error would come first if the work had begun.
    result = CliRunner().invoke(app, [*words.split(), "--plot", plot])
    assert (result.exit_code, result.stdout) == (1, "")
    assert message in result.stderr


def test_a_report_has_the_format_of_its_ending(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(work)
    result = CliRunner().invoke(app, ["report", "run", "sim", "--out", "a.pdf"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert (
        "give a name that ends in .html, .md or .json, or say which with --format" in result.stderr
    )


@pytest.mark.parametrize("words", ["explain run sim/105.mat", "report run sim", "trend sim"])
def test_every_command_that_names_override_rate_has_it(
    words: str, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(work)
    result = CliRunner().invoke(app, [*words.split(), "--override-rate"])
    assert result.exit_code != 2, result.stderr
