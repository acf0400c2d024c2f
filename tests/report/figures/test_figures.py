"""What the pictures show, read back from the figure and from the PNG."""

import math
import re
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from faultdiag.errors import FaultdiagError
from faultdiag.evidence.embedding import EmbeddedPart
from faultdiag.report import drawing
from faultdiag.report import figures as figures_module
from faultdiag.report.figures import confusion_figure, curves_figure, embedding_figure


def history(epochs: int) -> list[dict[str, float]]:
    return [
        {
            "epoch": epoch,
            "train_loss": 2 * math.exp(-epoch / epochs),
            "train_accuracy": 1 - 0.8 * math.exp(-epoch / epochs),
            "valid_loss": 2.2 * math.exp(-epoch / epochs),
            "valid_accuracy": 1 - 0.9 * math.exp(-epoch / epochs),
            "learning_rate": 1e-3,
            "seconds": 1.5,
        }
        for epoch in range(1, epochs + 1)
    ]


def cells(figure: Figure) -> dict[tuple[int, int], str]:
    return {
        (round(text.get_position()[1]), round(text.get_position()[0])): text.get_text()
        for text in figure.axes[0].texts
    }


def test_the_cells_hold_counts_and_row_percentages(tmp_path: Path, drawn: list[Figure]) -> None:
    matrix = [[18, 0, 2], [1, 34, 5], [0, 0, 0]]
    confusion_figure(["N", "IR", "B"], matrix, tmp_path / "c.png", title="test, 60 windows")
    axes = drawn[0].axes[0]
    assert cells(drawn[0]) == {
        (0, 0): "18\n90.0%",
        (0, 2): "2\n10.0%",
        (1, 0): "1\n2.5%",
        (1, 1): "34\n85.0%",
        (1, 2): "5\n12.5%",
        (2, 0): "no windows",
    }
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["N", "IR", "B"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["N", "IR", "B"]
    assert axes.get_title(loc="left") == "test, 60 windows: 86.7% right"


def test_healthy_classes_come_first(tmp_path: Path, drawn: list[Figure]) -> None:
    matrix = [[5, 1, 0], [0, 4, 2], [3, 0, 7]]
    confusion_figure(["B", "IR", "N"], matrix, tmp_path / "c.png", healthy=["N"])
    axes = drawn[0].axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["N", "B", "IR"]
    assert cells(drawn[0])[0, 0] == "7\n70.0%"
    assert cells(drawn[0])[0, 1] == "3\n30.0%"
    assert cells(drawn[0])[2, 0] == "2\n33.3%"
    assert axes.get_title(loc="left") == "Confusion: 72.7% right"


def test_small_and_large_shares_are_not_rounded_away(tmp_path: Path, drawn: list[Figure]) -> None:
    confusion_figure(["a", "b"], [[9999, 1], [0, 500_000]], tmp_path / "c.png")
    assert cells(drawn[0]) == {
        (0, 0): "9999\n>99.9%",
        (0, 1): "1\n<0.1%",
        (1, 1): "0.50M",
    }


def test_many_classes_are_written_smaller_and_very_many_not_at_all(
    tmp_path: Path, drawn: list[Figure]
) -> None:
    for classes in (13, 51):
        names = [f"class {i}" for i in range(classes)]
        matrix = 3 * np.eye(classes, dtype=int)
        confusion_figure(names, matrix, tmp_path / "c.png")
    assert cells(drawn[0])[4, 4] == "3"
    assert len(cells(drawn[0])) == 13
    assert cells(drawn[1]) == {}
    width, height = drawn[1].get_size_inches()
    assert width == height <= 21


def test_the_colour_is_the_share_of_the_true_class(tmp_path: Path, drawn: list[Figure]) -> None:
    confusion_figure(["a", "b", "c"], [[3, 1, 0], [0, 5, 0], [0, 0, 0]], tmp_path / "c.png")
    image = drawn[0].axes[0].images[0]
    expected = [[0.75, 0.25, 0], [0, 1, 0], [0, 0, 0]]
    np.testing.assert_array_equal(image.get_array(), expected)
    assert image.get_clim() == (0, 1)


def test_more_of_the_true_class_is_darker_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "c.png"
    confusion_figure(["a", "b"], [[4, 0], [2, 2]], path, title="")
    pixels = matplotlib.image.imread(path)[..., :3].mean(axis=2)
    # Rows and columns well inside the four cells of 225 pixels, beside frames and numbers.
    top, bottom, left, right = 70, 420, 100, 450
    full, half = pixels[top, left], pixels[bottom, right]
    assert full < half < pixels[top, right]
    assert half == pixels[bottom, left]


def test_a_dollar_sign_is_no_formula_and_a_foreign_letter_no_error(tmp_path: Path) -> None:
    confusion_figure(["$a_1$", "内圈"], np.eye(2, dtype=int), tmp_path / "c.png", title="$ 1 $")
    assert (tmp_path / "c.png").stat().st_size > 1000


@pytest.mark.parametrize("labels", [["a"], [], ["a", "b", "c"]])
def test_a_matrix_without_a_row_for_each_label_is_refused(
    tmp_path: Path, labels: list[str]
) -> None:
    with pytest.raises(ValueError, match=rf"{len(labels)} labels but a matrix of \(2, 2\)"):
        confusion_figure(labels, np.eye(2), tmp_path / "c.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("epochs", [1, 20, 500])
def test_the_curves_hold_every_epoch(tmp_path: Path, drawn: list[Figure], epochs: int) -> None:
    rows = history(epochs)
    curves_figure(rows, tmp_path / "curves.png", best_epoch=epochs)
    losses, accuracies = drawn[0].axes
    lines = {line.get_label(): line for line in accuracies.lines}
    assert list(lines) == ["train", "valid", f"best: epoch {epochs}"]
    np.testing.assert_array_equal(lines["valid"].get_xdata(), [row["epoch"] for row in rows])
    np.testing.assert_allclose(
        np.asarray(lines["valid"].get_ydata()), [100 * row["valid_accuracy"] for row in rows]
    )
    np.testing.assert_allclose(
        np.asarray(losses.lines[0].get_ydata()), [row["train_loss"] for row in rows]
    )
    assert (losses.get_ylabel(), accuracies.get_ylabel()) == ("loss", "accuracy in %")
    first, last = accuracies.get_xlim()
    assert first < 1 <= epochs < last
    assert all(tick == round(tick) for tick in accuracies.get_xticks())


def test_the_run_is_named_and_the_legend_is_clear_of_the_lines(tmp_path: Path) -> None:
    figures: list[Figure] = []

    def keep(figure: Figure, *_: object, **__: object) -> None:
        figure.canvas.draw()
        figures.append(figure)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "save_figure", keep)
        patch.setattr(figures_module, "save_figure", keep)
        curves_figure(history(20), tmp_path / "c.png", best_epoch=19, title="runs/$rig$")
    (figure,) = figures
    assert [text.get_text() for text in figure.texts] == ["runs/$rig$"]
    for axes in figure.axes:
        legend = axes.get_legend()
        assert legend is not None
        assert legend.get_window_extent().y0 >= axes.get_window_extent().y1 - 1


def test_without_a_best_epoch_none_is_marked(tmp_path: Path, drawn: list[Figure]) -> None:
    curves_figure(history(3), tmp_path / "curves.png")
    assert [line.get_label() for line in drawn[0].axes[0].lines] == ["train", "valid"]


def test_a_diverged_or_absent_value_leaves_a_gap(tmp_path: Path, drawn: list[Figure]) -> None:
    diverged = {"epoch": 3, "train_loss": math.nan, "valid_loss": math.inf, "train_accuracy": 0.5}
    rows = [*history(2), diverged]
    curves_figure(rows, tmp_path / "curves.png", best_epoch=2)
    valid = np.asarray(drawn[0].axes[1].lines[1].get_ydata())
    assert np.isnan(valid).tolist() == [False, False, True]


def test_a_history_of_nothing_but_gaps_is_drawn(tmp_path: Path) -> None:
    curves_figure([{"epoch": 1, "train_loss": math.nan}], tmp_path / "curves.png", best_epoch=1)
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_no_epochs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no epochs to draw"):
        curves_figure([], tmp_path / "curves.png")


def test_the_same_figures_give_the_same_file(tmp_path: Path) -> None:
    curves_figure(history(5), tmp_path / "a.png", best_epoch=2)
    curves_figure(history(5), tmp_path / "b.png", best_epoch=2)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_the_format_is_png_whatever_the_name(tmp_path: Path) -> None:
    curves_figure(history(2), tmp_path / "curves")
    assert (tmp_path / "curves").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["curves"]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    path = tmp_path / "absent" / "confusion.png"
    with pytest.raises(FaultdiagError, match=re.escape(f"cannot write {path}: No such file")):
        confusion_figure(["a"], [[1]], path)


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="the system has no /dev/full")
def test_a_full_disk_is_told() -> None:
    with pytest.raises(FaultdiagError, match="cannot write /dev/full: No space left on device"):
        curves_figure(history(2), Path("/dev/full"))


def test_embeddings_have_a_colour_for_each_class_and_a_mark_for_each_recording(
    tmp_path: Path, drawn: list[Figure]
) -> None:
    places = np.arange(12.0).reshape(6, 2)
    train = EmbeddedPart(places, ["N", "N", "IR", "IR", "IR", "N"], ["a", "a", "b", "c", "b", "d"])
    test = EmbeddedPart(places[:2], ["IR", "N"], ["e", "f"])
    parts = {"train": train, "test": test}
    embedding_figure(parts, tmp_path / "e.png", title="run", axes_name="principal component")
    first, second = drawn[0].axes
    assert first.get_title(loc="left") == "train, 6 windows"
    assert second.get_title(loc="left") == "test, 2 windows"
    points = [line for line in first.lines if len(line.get_xdata())]
    assert sum(len(line.get_xdata()) for line in points) == 6
    looks = {(str(line.get_color()), str(line.get_marker())) for line in points}
    assert len(looks) == 4
    legend = second.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["N", "IR"]


def test_labels_of_a_logarithmic_axis_are_powers_and_names_stay_plain() -> None:
    figure = drawing.blank_figure(4, 3)
    axes = figure.subplots()
    axes.set_yscale("log")
    axes.plot([1, 2], [1e-5, 1])
    axes.set_title("$a$_b")
    drawing.show_names_plainly(figure)
    figure.draw_without_rendering()
    labels = [label for label in axes.get_yticklabels() if label.get_text()]
    assert labels
    assert all(label.get_parse_math() for label in labels)
    assert not axes.title.get_parse_math()


@pytest.mark.parametrize("label", ["N", "outer race, drive end, 0.021 inches, clock 6, " * 2])
def test_a_picture_has_an_even_border_around_all_of_its_ink(tmp_path: Path, label: str) -> None:
    figure = drawing.blank_figure(3, 2)
    figure.add_axes((0, 0, 1, 1)).set_yticks([0.5], [label])
    drawing.save_figure(figure, tmp_path / "f.png", dpi=100)
    pixels = matplotlib.image.imread(tmp_path / "f.png")[..., :3]
    inked = (pixels < 1).any(axis=2)
    height, width = inked.shape
    assert width > 300 + 5 * len(label)
    for ends, size in (
        (np.flatnonzero(inked.any(1)), height),
        (np.flatnonzero(inked.any(0)), width),
    ):
        assert ends[0] == pytest.approx(100 * drawing.PADDING, abs=3)
        assert size - 1 - ends[-1] == pytest.approx(100 * drawing.PADDING, abs=3)
