"""The features of windows before a network's last layer, projected to a plane."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from faultdiag.arrays import Floats
from faultdiag.inference import TorchScorer
from faultdiag.novelty import evenly
from faultdiag.preparing.folder import Prepared, gather
from faultdiag.signal.bearings import conditions

Projection: TypeAlias = Literal["pca", "tsne"]

# Windows of a part, evenly spread.
MOST_WINDOWS = 600
BATCH = 256
AXES: dict[Projection, str] = {"pca": "principal component", "tsne": "t-SNE"}
# Neighbours that t-SNE keeps together, unless there are too few windows.
PERPLEXITY = 30.0


class EmbeddedPart(NamedTuple):
    """Windows of a part in a plane: places ``(windows, 2)``, class names and recordings."""

    places: Floats
    classes: Sequence[str]
    recordings: Sequence[str]


def embed_parts(
    scorer: TorchScorer, prepared: Prepared, parts: Sequence[str], projection: Projection
) -> dict[str, EmbeddedPart]:
    """Project what the last layer of a network sees of the windows of each part.

    The plane is one for all parts, fitted on all of their windows together.

    Parameters
    ----------
    scorer
        A trained network.
    prepared
        Its data.
    parts
        Parts of the split.
    projection
        ``pca`` [1]_ or ``tsne`` [2]_, of scikit-learn.

    Raises
    ------
    FaultdiagError
        If the network has no linear layer.

    References
    ----------
    .. [1] K. Pearson, "On lines and planes of closest fit to systems of points in space", 1901,
       doi:10.1080/14786440109462720
    .. [2] L. van der Maaten and G. Hinton, "Visualizing data using t-SNE", J. Mach. Learn. Res.
       9 (2008) 2579-2605
    """
    chosen = {part: _chosen(prepared, part) for part in parts}
    features = {part: _features(scorer, prepared, part, rows) for part, rows in chosen.items()}
    plane = _project(np.concatenate(list(features.values())), projection)
    ends = np.cumsum([len(values) for values in features.values()])[:-1]
    return {
        part: _part(prepared, part, chosen[part], places)
        for part, places in zip(parts, np.split(plane, ends), strict=True)
    }


def _chosen(prepared: Prepared, part: str) -> NDArray[np.int64]:
    return evenly(len(prepared.windows.of(part)), MOST_WINDOWS)


def _part(prepared: Prepared, part: str, rows: NDArray[np.int64], places: Floats) -> EmbeddedPart:
    windows = prepared.windows.of(part).take(rows)
    classes = [prepared.classes[label] for label in windows.label.tolist()]
    names = [prepared.recordings[number].name for number in windows.recording.tolist()]
    return EmbeddedPart(places, classes, names)


def _features(
    scorer: TorchScorer, prepared: Prepared, part: str, rows: NDArray[np.int64]
) -> Floats:
    """Return the input of the network's last linear layer, ``(windows, features)``."""
    windows = prepared.windows.of(part).take(rows)
    embedded = []
    for first in range(0, len(windows), BATCH):
        some = windows.take(np.arange(first, min(first + BATCH, len(windows))))
        raw = gather(prepared.signals, prepared.positions(some), prepared.length)
        known = _conditions(prepared, some.recording)
        embedded.append(scorer.embed(np.ascontiguousarray(raw), known))
    return np.concatenate(embedded)


def _conditions(prepared: Prepared, recordings: NDArray[np.int32]) -> NDArray[np.float32]:
    known = [prepared.recordings[i] for i in recordings.tolist()]
    rows = [conditions(recording.rpm or 60.0, recording.bearing) for recording in known]
    return np.array(rows, np.float32)


def _project(features: Floats, projection: Projection) -> Floats:
    if projection == "tsne":
        from sklearn.manifold import TSNE

        perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
        model = TSNE(perplexity=perplexity, init="pca", random_state=0)
        return np.asarray(model.fit_transform(features), dtype=np.float64)
    from sklearn.decomposition import PCA

    return np.asarray(PCA(2, random_state=0).fit_transform(features), dtype=np.float64)
