"""Figures kept instead of rendered."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Return the figures instead of rendering them, which takes most of the time."""
    figures: list[Figure] = []

    def keep(figure: Figure, path: Path, **_: object) -> None:
        figures.append(figure)
        path.touch()

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures
