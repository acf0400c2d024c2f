"""Names from files are shown, not obeyed: on the terminal, in pages, pictures and tables."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from faultdiag.config.schema import load_config
from faultdiag.datasets.manifest import Manifest
from faultdiag.prediction.stored_rows import read_stored_rows
from faultdiag.report.tables import format_table
from tests.commands import run
from tests.data_fixtures import signal

# Escapes, a formula of spreadsheets, one of matplotlib, a line end and a right-to-left mark.
CLASSES = ("N", "=I$\\frac$\x1b[31m\u202ex", "@a\nb$_{$")
FILE = "-r{}\x1b]0;t\x07\u202e.npz"
CHANNEL = "=x\x1b[2J$\\frac$"
SMALL = "model={name: cnn1d, widths: [4, 8], kernels: [7]}"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with recordings, a config and a trained run."""
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for k, name in enumerate(CLASSES):
            (folder / "rig" / name).mkdir(parents=True)
            for j in range(2):
                x = signal(500.0 * (k + 1), 12_000, 9000, 10 * k + j)
                np.savez(folder / "rig" / name / FILE.format(j), **{CHANNEL: x})
        safe("init", "--from", "rig", "--sampling-rate", 12_000, "--out", "c.yaml")
        settings = ("--set", SMALL, "--set", "train.epochs=1", "--set", "train.threads=1")
        safe("train", "c.yaml", *settings, "--run", "run", "--device", "cpu")
        yield folder


def safe(*words: object) -> None:
    """Run a command: whatever it prints can't control a terminal."""
    result = run(*words)
    assert result.exit_code == 0, result.stderr or result.exception
    require_safe(result.stdout + result.stderr)


def require_safe(text: str) -> None:
    assert {c for c in text if not c.isprintable()} <= {"\n", "\t"}


def test_commands_and_pages_show_names(rig: Path) -> None:
    path = next((rig / "rig" / "N").iterdir())
    safe("inspect", path, "--plot", "i.png")
    safe("check", "c.yaml", "--set", SMALL)
    safe("predict", "run", "rig", "--out", "o.csv")
    safe("report", "run", "--out", "run.html")
    safe("report", "o.csv", "--out", "o.html")
    safe("report", "o.csv", "--format", "md", "--out", "o.md")
    safe("explain", "run", path)
    for name in ("run.html", "o.html", "o.md", "run/MODEL_CARD.md", "c.yaml"):
        require_safe((rig / name).read_text(encoding="utf-8"))


def test_rows_are_no_formulas_and_are_read_back_the_same(rig: Path) -> None:
    safe("predict", "run", "rig", "--out", "rows.csv")
    text = (rig / "rows.csv").read_text(encoding="utf-8")
    assert ",=I" not in text
    assert ",@a" not in text
    rows = read_stored_rows(rig / "rows.csv")
    assert {row.label for row in rows} == set(CLASSES)
    assert {row.channel for row in rows} == {CHANNEL}
    assert {name for row in rows for name in row.probabilities} == set(CLASSES)


def test_a_manifest_undoes_the_mark_of_formulas(tmp_path: Path) -> None:
    for name in ("=a.npy", "b.npy"):
        np.save(tmp_path / name, signal(500.0, 12_000, 9000, 1))
    (tmp_path / "manifest.csv").write_text("path,label\n'=a.npy,'=I\nb.npy,N\n")
    entries = Manifest(tmp_path).entries({}).entries
    assert [(e.path.name, e.facts["label"]) for e in entries] == [("=a.npy", "=I"), ("b.npy", "N")]


def test_a_cell_of_a_table_is_one_line() -> None:
    table = format_table([{"a": "x\n\x1b[2Jy"}], {"a": "name"})
    assert table.splitlines()[-1] == r"x\n\x1b[2Jy"


def test_the_config_keeps_the_names(rig: Path) -> None:
    assert load_config(rig / "c.yaml").data.channels == (CHANNEL,)


def test_a_name_never_begins_a_line(rig: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(rig)
    for k, name in enumerate(("N\nerror: forged", "I")):
        (rig / "lines" / name).mkdir(parents=True)
        for j in range(2):
            x = signal(500.0 * (k + 1), 12_000, 9000, j)
            np.savez(rig / "lines" / name / f"r{j}\nwarning: forged.npz", x=x)
    (rig / "lines" / "I" / "bad\nwarning: forged.npz").write_bytes(b"no archive")
    Path("lines.yaml").write_text(
        "data: {dataset: folder, root: lines}\nwindow: {length: 1024, stride: 1024}\n"
        "model: {name: cnn1d}\n"
    )
    printed = ""
    for words in (
        ("inspect", "lines"),
        ("check", "lines.yaml"),
        ("init", "--from", "lines", "--out", "x.yaml"),
        ("predict", "run", "lines", "--out", "lines.csv"),
        ("trend", "lines"),
    ):
        result = run(*words)
        lines = (result.stdout + result.stderr).splitlines()
        assert not [line for line in lines if line.startswith(("error: f", "warning: f"))], words
        printed += result.stdout + result.stderr
    assert printed.count("forged") > 10
