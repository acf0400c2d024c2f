"""The common parts of networks on combs at fault orders: scores, disturbance, and the tied head.

They read ``(B, 3 * bands, teeth)`` from `faultdiag.representations.fault_order_combs` and use one
set of weights for all parts of the bearing. A network with weights of its own for each part learns
the few specimens that it was trained on.
"""

import re
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import AfterValidator
from torch import Tensor, nn

from faultdiag.documents import Document, Json
from faultdiag.errors import FaultdiagError
from faultdiag.models.layers import Slots
from faultdiag.models.spec import Slot
from faultdiag.signature import Head

Part = Literal["normal", "inner", "outer", "ball"]
FAULTY: tuple[Part, ...] = ("inner", "outer", "ball")
FRONT = "fault_order_combs"

# Class names of each part, in lower case: the first word, or how it begins.
_WORDS: dict[Part, tuple[set[str], tuple[str, ...]]] = {
    "normal": ({"n", "h", "no", "nor", "norm", "ok", "good"}, ("normal", "health", "baseline")),
    "inner": ({"i", "ir", "irf", "if", "ib"}, ("inner",)),
    "outer": ({"o", "or", "orf", "of", "ob"}, ("outer",)),
    "ball": ({"b", "bf", "tb", "be", "re"}, ("ball", "roll")),
}


def _distinct(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    if len(set(parts)) < len(parts):
        raise ValueError("name each part once, in the order of the classes")
    return parts


Parts = Annotated[tuple[Part, ...], AfterValidator(_distinct)]


def part_of(label: str) -> Part | None:
    """Return the part of a bearing that a class names, or None.

    Examples
    --------
    >>> [part_of(label) for label in ("IR007", "outer_race", "N", "B", "cage")]
    ['inner', 'outer', 'normal', 'ball', None]
    """
    match = re.match(r"[^\W\d_]+", label)
    word = match[0].lower() if match else ""
    for part, (words, beginnings) in _WORDS.items():
        if word in words or word.startswith(beginnings):
            return part
    return None


def options_for(name: str, classes: Sequence[str], options: Document) -> Json:
    """Return the options of a tied network with `parts`, which follow from the class names.

    Raises
    ------
    FaultdiagError
        If a class names no part of a bearing, or two classes name the same one.
    """
    if options.get("parts"):
        return dict(options)
    parts = [part_of(label) for label in classes]
    unknown = [label for label, part in zip(classes, parts, strict=True) if part is None]
    if unknown or len(set(parts)) < len(parts):
        problem = f"cannot use {', '.join(unknown)}" if unknown else "cannot tell sizes apart"
        raise FaultdiagError(
            f"{name} names the damaged part of a bearing and {problem}: the classes are "
            f"{', '.join(classes)}; let data.label name the part alone, as '{{code}}' does for "
            "CWRU (N, IR, OR, B), or say what each class means with model.parts: [normal, inner, "
            "outer, ball]"
        )
    return {**options, "parts": tuple(parts)}


def parts_for(name: str, classes: int, parts: Sequence[Part] | None) -> tuple[Part, ...]:
    """Return the part that each class means: as given, else the last ones of all four.

    Raises
    ------
    FaultdiagError
        If their number is not that of the classes.
    """
    chosen = tuple(parts or ("normal", *FAULTY)[-classes:])
    if len(chosen) != classes:
        raise FaultdiagError(
            f"{name} has {classes} classes, but model.parts names {len(chosen)} parts of a "
            f"bearing ({', '.join(chosen)}); name one of normal, inner, outer, ball for each class"
        )
    return chosen


def check_combs(name: str, channels: int, length: int, harmonics: int) -> None:
    """Refuse inputs that are not combs.

    Raises
    ------
    FaultdiagError
        If the channels are not three sets of bands, or the length not an odd number of teeth for
        each harmonic.
    """
    if channels % len(FAULTY) or length % (2 * harmonics) != harmonics:
        raise FaultdiagError(
            f"{name} reads combs of {harmonics} harmonics at the fault orders of 3 parts, and got "
            f"{channels} channels of length {length}; set model.representation to {FRONT} with as "
            "many harmonics as model.harmonics says"
        )


class CombScores(nn.Module):
    """The score of every part in every band: ``(B, 3, bands, teeth) -> (B, 3, bands)``.

    ``z = (sum of n teeth) / sqrt(n)``. For the inner race and the ball the teeth are those up to
    harmonic 3 and sideband 1; for the outer race, whose damage does not move through the load, all
    harmonics without sidebands. In noise z has mean 0 and deviation 1, nearly.

    Parameters
    ----------
    harmonics, teeth
        Numbers of harmonics and teeth of a comb.
    """

    weights: Tensor

    def __init__(self, harmonics: int, teeth: int) -> None:
        super().__init__()
        per = teeth // harmonics
        index = torch.arange(teeth)
        k, m = index // per + 1, index % per - per // 2
        moving, fixed = (k <= 3) & (m.abs() <= 1), m == 0
        rows = [mask / mask.sum().sqrt() for mask in (moving, fixed, moving)]
        self.register_buffer("weights", torch.stack(rows)[:, None], persistent=False)

    def forward(self, combs: Tensor) -> Tensor:
        """Return the scores."""
        scores: Tensor = (combs * self.weights.to(combs.dtype)).sum(-1)
        return scores


class Disturbance(nn.Module):
    """Noise on combs, and bands and teeth left out at random; in training only.

    Parameters
    ----------
    noise
        Standard deviation of what is added to every tooth.
    band_dropout
        Share of the bands of a window that become 0 in all combs.
    tooth_dropout
        Share of all teeth that become 0.
    """

    def __init__(self, noise: float, band_dropout: float, tooth_dropout: float) -> None:
        super().__init__()
        self.noise = noise
        self.band_dropout = band_dropout
        self.tooth_dropout = tooth_dropout

    def forward(self, combs: Tensor) -> Tensor:
        """Disturb ``(B, 3, bands, teeth)``."""
        if not self.training:
            return combs
        if self.noise:
            combs = combs + self.noise * torch.randn_like(combs)
        if self.band_dropout:
            combs = combs * (torch.rand_like(combs[:, :1, :, :1]) >= self.band_dropout)
        if self.tooth_dropout:
            combs = combs * (torch.rand_like(combs) >= self.tooth_dropout)
        return combs


class TiedHead(nn.Module):
    """Logits of the classes from one number of evidence for each part, weights shared by parts.

    ``inner = a e_I + b e_O``, ``outer = a e_O + b e_I``, ``ball = c e_B + d max(e_I, e_O)``,
    ``normal = n max(e_I, e_O, e_B)``, and a bias for each class. A damaged race shows lines of
    the balls too: hence ``d``, which starts negative.

    Parameters
    ----------
    parts
        The part that each class means.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        super().__init__()
        self.parts = tuple(parts)
        self.race = nn.Parameter(torch.tensor([1.0, -0.2]))  # a, b
        if "ball" in self.parts:
            self.ball = nn.Parameter(torch.tensor([0.5, -0.5]))  # c, d
        if "normal" in self.parts:
            self.normal = nn.Parameter(torch.tensor(-0.5))  # n
        self.bias = nn.Parameter(torch.zeros(len(self.parts)))

    @property
    def weights(self) -> Head:
        """The weights as numbers: with them evidence can be computed from logits."""
        first, second = self.race.tolist()
        ball = tuple(self.ball.tolist()) if "ball" in self.parts else None
        return Head(self.parts, (first, second), ball, tuple(self.bias.tolist()))

    def forward(self, evidence: Tensor) -> Tensor:
        """Return the logits ``(B, classes)`` of the evidence ``(B, 3)``."""
        logits = [self._logit(part, *evidence.unbind(1)) for part in self.parts]
        return torch.stack(logits, 1) + self.bias

    def _logit(self, part: Part, inner: Tensor, outer: Tensor, ball: Tensor) -> Tensor:
        races = torch.maximum(inner, outer)
        if part == "normal":
            return self.normal * torch.maximum(races, ball)
        if part == "ball":
            return self.ball[0] * ball + self.ball[1] * races
        own, other = (inner, outer) if part == "inner" else (outer, inner)
        return self.race[0] * own + self.race[1] * other


def head_of(network: nn.Module) -> Head | None:
    """Return the head of a tied network, also behind a front end; None for other networks."""
    heads = [module for module in network.modules() if isinstance(module, TiedHead)]
    return heads[0].weights if len(heads) == 1 else None


class TiedNetwork(nn.Module):
    """The base of the networks on combs: one block of attention over the bands, and the scores.

    A subclass ends in `classify`, a `TiedHead` of its `parts`.

    Parameters
    ----------
    channels, classes, length
        Shape of the combs and number of logits.
    slots
        Attention over the bands, position 1: one block, shared by the parts.
    parts
        What each class means: normal, inner, outer or ball. None takes it from the class names.
    harmonics
        Harmonics of a comb, as in the front end.
    noise, band_dropout, tooth_dropout
        See `Disturbance`.

    Raises
    ------
    FaultdiagError
        If the input is not a set of combs, or `parts` does not fit the classes.

    References
    ----------
    .. [1] R. B. Randall and J. Antoni, "Rolling element bearing diagnostics - a tutorial", Mech.
       Syst. Signal Process. 25 (2011) 485-520, doi:10.1016/j.ymssp.2010.07.017 (the lines)
    """

    name: ClassVar[str]
    reference: ClassVar[str] = "Randall and Antoni 2011, doi:10.1016/j.ymssp.2010.07.017"
    representation: ClassVar[str] = FRONT
    most_classes: ClassVar[int] = 4

    def __init__(
        self,
        channels: int,
        length: int,
        slots: Sequence[Slot],
        harmonics: int,
        disturb: Disturbance,
    ) -> None:
        super().__init__()
        check_combs(self.name, channels, length, harmonics)
        self.disturb = disturb
        self.attention = Slots(slots, [channels // 3])
        self.scores = CombScores(harmonics, length)

    @staticmethod
    def positions(**_: object) -> int:
        """Return the number of positions attention can have."""
        return 1

    @staticmethod
    def minimum_length(*, harmonics: int = 4, **_: object) -> int:
        """Return the fewest teeth of a comb: each harmonic with a sideband on either side."""
        return 3 * harmonics

    @classmethod
    def options_for(cls, classes: Sequence[str], options: Document) -> Json:
        """Return the options with what follows from the class names."""
        return options_for(cls.name, classes, options)

    def combs(self, x: Tensor) -> Tensor:
        """Return combs ``(B, 3, bands, teeth)`` of inputs ``(B, 3 * bands, teeth)``."""
        combs = self.disturb(x.unflatten(1, (3, -1)))
        attended: Tensor = self.attention(1, combs.flatten(0, 1), []).unflatten(0, (-1, 3))
        return attended
