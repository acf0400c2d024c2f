"""Figures kept instead of rendered."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

from faultdiag.report import drawing


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Return the figures instead of rendering them, which takes most of the time."""
    figures: list[Figure] = []

    def keep(figure: Figure, _: int) -> NDArray[np.uint8]:
        figures.append(figure)
        return np.zeros((1, 1, 4), dtype=np.uint8)

    monkeypatch.setattr(drawing, "_cropped", keep)
    return figures
