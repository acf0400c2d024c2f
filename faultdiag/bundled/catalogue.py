"""The models in the box: where their files are, and what they can and can't know."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class BundledModel:
    """A model that comes with the package.

    Parameters
    ----------
    name
        What it is called in place of a run folder.
    summary
        What it does, in a sentence.
    classes
        What it tells apart.
    seconds
        Length of a window, which is the shortest recording.
    limits
        What it can't know, in a sentence each.
    """

    name: str
    summary: str
    classes: tuple[str, ...]
    seconds: float
    limits: tuple[str, ...]

    @property
    def path(self) -> Path:
        """Its checkpoint."""
        return FOLDER / f"{self.name}.pt"

    @property
    def card(self) -> Path:
        """Its model card."""
        return FOLDER / f"{self.name}.md"


MODELS: Mapping[str, BundledModel] = {
    "bearing-types": BundledModel(
        "bearing-types",
        "names the damaged part of a rolling bearing (healthy, inner, outer, ball) of any machine "
        "whose shaft speed and bearing are known, without training",
        ("ball", "healthy", "inner", "outer"),
        3.0,
        (
            "it needs the shaft speed within 0.5 %, constant over 3 s, and the bearing's geometry",
            "it knows one damaged part at a time: no cage, no lubrication, no size of the damage",
            "healthy means that no fault lines were found; balls seldom show any, so a damaged "
            "ball is often called healthy",
            "what is no bearing fault (imbalance, gears, electrical faults) has no class",
        ),
    )
}
"""Every model in the box by its name."""


def bundled_model(model: Path | str) -> BundledModel | None:
    """Return the model in the box that is meant; None where a file or folder has that name."""
    name = os.fspath(model)
    return None if Path(name).exists() else MODELS.get(name)


def shadowed(model: Path | str) -> str | None:
    """Return a note where a file or folder has the name of a model in the box; else None."""
    name = os.fspath(model)
    if name not in MODELS or not Path(name).exists():
        return None
    return (
        f"note: {name} is the one in this folder, not the model of that name that comes with "
        "faultdiag; rename it, or run in another folder, to use that one"
    )
