"""What a network looked at in one recording: the results, without what computes them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faultdiag.evidence.occlusion import BandRelevance

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Gate:
    """What an attention block does to each channel, mean over windows.

    Parameters
    ----------
    place
        Where the block is in the network.
    block
        Its name.
    gains
        Per channel, the factor by which the block's output best follows its input: 1 where it
        changes nothing, 0 where it removes the channel. ``(channels,)``
    """

    place: str
    block: str
    gains: Floats


@dataclass(frozen=True, eq=False)
class TimeRelevance:
    """Relevance of the samples of one window to the diagnosis.

    Parameters
    ----------
    start
        Seconds from the beginning of the recording.
    fs
        The model's sampling rate in Hz.
    window
        First channel as the network saw it, normalised, ``(length,)``.
    methods
        Relevance by method, the sum over channels, ``(length,)`` each.
    """

    start: float
    fs: float
    window: Floats
    methods: Mapping[str, Floats]


@dataclass(frozen=True, eq=False)
class FrontRelevance:
    """Relevance of what the front end gives, mean over windows.

    Parameters
    ----------
    axis
        What the places are: ``shaft order``, ``Hz``, or ``position``.
    places
        ``(places,)``.
    values
        Sum over channels of gradient times input, ``(places,)``.
    """

    axis: str
    places: Floats
    values: Floats


@dataclass(frozen=True, eq=False)
class Explanation:
    """What moved the probability of the diagnosed class.

    Parameters
    ----------
    label
        The diagnosed class.
    windows
        How many windows of the recording were looked at.
    bands
        Relevance over frequency, by occlusion.
    time
        Relevance over the samples of the window that is surest of the class.
    front
        Relevance over what a front end gives, where the network has one.
    gates
        Of the attention blocks, the first in the network first.
    missing
        What can't be shown, and why.
    """

    label: str
    windows: int
    bands: BandRelevance
    time: TimeRelevance | None
    front: FrontRelevance | None
    gates: tuple[Gate, ...]
    missing: tuple[str, ...]
