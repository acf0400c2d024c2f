"""Explanations of a diagnosis: the results, and the occlusion of bands.

Windows are normalised before a band's lines are set to zero. So the other bands keep their level,
except in a network that standardises its input itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from faultdiag.arrays import Floats, Singles

BANDS = 24
FILL = "the band's lines set to zero after the windows were normalised"

# From normalised windows (windows, channels, length) to probabilities (windows, classes).
Probabilities = Callable[[Singles], Floats]


@dataclass(frozen=True, slots=True)
class BandRelevance:
    """The dependence of a class's probability on bands of frequency.

    Parameters
    ----------
    edges
        Hz, ``(bands + 1,)``.
    drops
        Probability of the whole windows less that without the band, mean over windows,
        ``(bands,)``; negative where the band speaks against the class.
    probability
        Mean probability of the class over whole windows.
    windows
        Number of windows.
    fill
        How a band was removed.
    """

    edges: Floats
    drops: Floats
    probability: float
    windows: int
    fill: str = FILL


def occlude_bands(
    windows: Singles, fs: float, label: int, probabilities: Probabilities, *, bands: int = BANDS
) -> BandRelevance:
    """Remove one band after another from windows and measure how far the probability falls.

    Parameters
    ----------
    windows
        Normalised, ``(windows, channels, length)``.
    fs
        Hz.
    label
        Index of the class.
    probabilities
        The network, as a function of normalised windows.
    bands
        Number of bands of equal width from 0 Hz to half the sampling rate, at most one for each
        line of the spectrum.
    """
    count, _, length = windows.shape
    lines = np.fft.rfft(windows)
    borders = np.linspace(0, lines.shape[-1], min(bands, lines.shape[-1]) + 1).round().astype(int)
    whole = float(probabilities(windows)[:, label].mean())
    drops = np.empty(borders.size - 1)
    for i, (first, last) in enumerate(pairwise(borders.tolist())):
        remaining = lines.copy()
        remaining[..., first:last] = 0
        occluded = np.fft.irfft(remaining, length).astype(np.float32)
        drops[i] = whole - float(probabilities(occluded)[:, label].mean())
    edges = np.minimum(borders * fs / length, fs / 2)
    return BandRelevance(edges, drops, whole, count)


@dataclass(frozen=True, eq=False)
class Gate:
    """The gains of an attention block, ``(channels,)``, averaged over windows.

    A gain is the factor by which the block's output best follows its input: 1 where it changes
    nothing, 0 where it removes the channel.
    """

    place: str
    block: str
    gains: Floats


@dataclass(frozen=True, eq=False)
class TimeRelevance:
    """Relevance of the samples of one window to the diagnosis, by method: ``(length,)`` each.

    The window begins `start` seconds into the recording, at the model's rate `fs`; ``window`` is
    its first channel as the network saw it, normalised. Relevance is summed over channels.
    """

    start: float
    fs: float
    window: Floats
    methods: Mapping[str, Floats]


@dataclass(frozen=True, eq=False)
class FrontRelevance:
    """Relevance of the front end's output: gradient times input, averaged over windows.

    It is summed over channels, ``(places,)``; ``axis`` is the quantity along the output:
    ``shaft order``, ``Hz`` or ``position``.
    """

    axis: str
    places: Floats
    values: Floats


@dataclass(frozen=True, eq=False)
class Explanation:
    """The influences on the probability of the diagnosed class.

    Parameters
    ----------
    label
        The diagnosed class.
    windows
        Number of windows of the recording that were examined.
    bands
        Relevance over frequency, by occlusion.
    time
        Relevance over the samples of the window with the highest probability of the class.
    front
        Relevance over the output of the front end, if the network has one.
    gates
        One for each attention block, from input to output.
    missing
        Parts that could not be computed, each with its reason.
    """

    label: str
    windows: int
    bands: BandRelevance
    time: TimeRelevance | None
    front: FrontRelevance | None
    gates: tuple[Gate, ...]
    missing: tuple[str, ...]
