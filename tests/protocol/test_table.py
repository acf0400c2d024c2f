"""The files of a comparison: readable alone, every number where it belongs, failures named."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from faultdiag.protocol.plan import Plan
from faultdiag.report import figures
from faultdiag.report.figures import protocol_figure, protocol_noise_figure
from faultdiag.report.protocol import (
    cells_csv,
    document,
    leak_meaning,
    markdown,
    meaning,
    table_csv,
)
from tests.protocol.cells import cell, config, row

SPLITS: dict[str, Any] = {
    "within": {"strategy": "within_recording"},
    "loads": {"strategy": "across_loads", "folds": "pairs"},
}


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    noise = {"0.0": 0.51, "-4.0": 0.25}
    cells = [cell("A|B", seed=s, noise=(0.0, -4.0)) for s in (0, 1)]
    results: list[Any] = [
        (c, row(a, noise=noise, key="k")) for c, a in zip(cells, (0.9, 0.8), strict=True)
    ]
    for fold, accuracy in (("0→1", 0.6), ("1→0", 0.4)):
        loads = cell("A|B", "loads", fold, seed=0)
        results.append(
            (loads, row(accuracy, leak="bearing", key="k", notes=["no healthy at 1 hp"]))
        )
        results.append(
            (cell("A|B", "loads", fold, seed=1), {"reason": "MemoryError; use fewer --jobs"})
        )
    plan = Plan(
        config(),
        ("A|B",),
        ("within", "loads"),
        (0, 1),
        (0.0, -4.0),
        SPLITS,
        tuple(c for c, _ in results),
        ("across_sizes is left out: no sizes",),
    )
    data = {name: {"recordings": 20, "missing": ["98"]} for name in SPLITS}
    return document(plan, results, data, "my comparison")


def test_the_markdown_is_understood_alone(made: dict[str, Any]) -> None:
    text = markdown(made)
    assert text.startswith("# my comparison\n\n- 20")
    assert "faultdiag 0.1.0, torch 2.13.0; on cpu" in text
    assert "data: cwru in data/cwru: within 20 recordings, 1 missing; loads 20" in text
    assert "models: 1; protocols: 2; seeds: 0, 1; cells: 6, **2 of them failed** (below)" in text
    assert "- **within**: train and test are different stretches of the same recordings" in text
    assert "Folds: 0→1, 1→0. Epochs of a network: " in text
    assert "Leak: bearing: train and test share physical bearings" in text
    assert "  - no healthy at 1 hp" in text
    assert "- A|B, loads 0→1, seed 1: MemoryError; use fewer --jobs" in text
    assert "- across_sizes is left out: no sizes" in text


def test_the_lines_of_the_table(made: dict[str, Any]) -> None:
    lines = [
        [word.strip() for word in line.replace(r"\|", "¦").split("|")[1:-1]]
        for line in markdown(made).splitlines()
        if line.startswith("|")
    ]
    assert lines[0][:6] == [
        "protocol",
        "model",
        "accuracy %",
        "95 % interval",
        "over",
        "macro-F1 %",
    ]
    within, loads = lines[2], lines[3]
    assert within[:5] == ["within", "A¦B", "85.0 ± 7.1", "21.5 to 100.0", "2 seeds"]
    assert within[5:] == ["42.5 ± 3.5", "100.0", "2", "40", "0.0213", "recording"]
    assert loads[:5] == ["loads", "A¦B", "50.0", "0.0 to 100.0", "2 folds"]
    assert loads[7] == "2 of 4"
    assert lines[4] == ["model", "0 dB", "-4 dB"]
    assert lines[6] == ["A¦B", "51.0 ± 0.0", "25.0 ± 0.0"]


def test_the_csv_has_rows_of_noise_and_both_intervals(made: dict[str, Any]) -> None:
    rows = list(csv.DictReader(io.StringIO(table_csv(made))))
    assert [(r["protocol"], r["snr_db"]) for r in rows] == [
        ("within", ""),
        ("within", "0.0"),
        ("within", "-4.0"),
        ("loads", ""),
    ]
    assert float(rows[0]["accuracy_mean"]) == pytest.approx(0.85)
    assert float(rows[0]["accuracy_low_seeds"]) == pytest.approx(0.85 - 12.7062 * 0.05, abs=1e-4)
    assert rows[0]["accuracy_low_folds"] == ""
    assert rows[3]["accuracy_high_folds"] == "1.0"
    assert rows[3]["cells_planned"] == "4"


def test_the_csv_of_cells_has_every_cell_and_level(made: dict[str, Any]) -> None:
    rows = list(csv.DictReader(io.StringIO(cells_csv(made))))
    assert len(rows) == 2 * 3 + 4
    assert [r["reason"] for r in rows if r["reason"]] == ["MemoryError; use fewer --jobs"] * 2
    assert {(r["snr"], r["accuracy"]) for r in rows if r["seed"] == "1" and not r["reason"]} == {
        ("", "0.8"),
        ("0.0", "0.51"),
        ("-4.0", "0.25"),
    }


def test_the_document_is_json(made: dict[str, Any]) -> None:
    assert json.loads(json.dumps(made, allow_nan=False)) == made


def test_when_everything_failed(tmp_path: Path) -> None:
    failed = cell()
    plan = Plan(config(), ("net",), ("within",), (0,), (), SPLITS, (failed,), ())
    made = document(plan, [(failed, {"reason": "no such folder"})], {}, "t")
    text = markdown(made)
    assert "0 of 1" in text
    assert "nothing could be prepared" in text
    assert "- net, within, seed 0: no such folder" in text
    protocol_figure(made["rows"], tmp_path / "table.png")
    assert (tmp_path / "table.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        (
            {"strategy": "across_sizes", "folds": "each"},
            "fault sizes that were not trained on, so other "
            "physical bearings: what is new is the fault; each value held out in turn, all "
            "others trained on",
        ),
        (
            {"strategy": "across", "fact": "end", "folds": 3},
            "values of end that were not trained on; 3 folds",
        ),
    ],
)
def test_what_a_split_means(split: dict[str, Any], expected: str) -> None:
    assert meaning(split) == expected


def test_every_leak_level_is_explained() -> None:
    said = {leak_meaning(leak) for leak in ("samples", "recording", "bearing", "none", None)}
    assert len(said) == 5


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    kept: list[Figure] = []
    real = figures.save_figure

    def save(figure: Figure, path: Path) -> None:
        kept.append(figure)
        real(figure, path)

    monkeypatch.setattr("faultdiag.report.figures.save_figure", save)
    return kept


def test_the_dots_stand_at_the_means(
    made: dict[str, Any], drawn: list[Figure], tmp_path: Path
) -> None:
    protocol_figure(made["rows"], tmp_path / "table.png")
    assert (tmp_path / "table.png").read_bytes().startswith(b"\x89PNG")
    within, loads = drawn[0].axes
    assert (within.get_title(loc="left"), loads.get_title(loc="left")) == ("within", "loads")
    for axes, mean, low, high in ((within, 85, 21.47, 100), (loads, 50, 0, 100)):
        interval, dot, chance = axes.lines
        assert list(interval.get_xdata()) == pytest.approx([low, high], abs=0.01)
        assert list(dot.get_xdata()) == pytest.approx([mean])
        assert list(chance.get_xdata()) == [25, 25]
    assert [label.get_text() for label in within.get_yticklabels()] == ["A|B"]


def test_the_line_over_noise(made: dict[str, Any], drawn: list[Figure], tmp_path: Path) -> None:
    protocol_noise_figure(made["rows"], tmp_path / "noise.png")
    (axes,) = drawn[0].axes
    assert list(axes.lines[0].get_xdata()) == [-4, 0]
    assert list(axes.lines[0].get_ydata()) == pytest.approx([25, 51])
