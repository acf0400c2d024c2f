"""A small network that reads combs tooth by tooth and names the damaged part of any bearing."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from faultdiag.models import tied
from faultdiag.models.spec import Slot
from faultdiag.option_types import Count, NotNegative, Share


class TiedTeeth(tied.TiedNetwork):
    """Combs at the fault orders of a bearing, read tooth by tooth by one reader for all parts.

    The reader, a perceptron shared by all parts and bands, turns the teeth of a band into a value
    ``r`` and a logit ``u``. With the scores ``z`` of the bands (see
    `faultdiag.models.tied.CombScores`) the evidence for a part is

        ``e = sum softmax(u) r + s sum softmax(z) z + t mean z``

    and `faultdiag.models.tied.TiedHead` turns the evidence into logits. The reader's last layer
    starts at zero, ``s`` at 1 and ``t`` at 0: untrained it is the physical score.

    The other parameters and the errors are those of `faultdiag.models.tied.TiedNetwork`.

    Parameters
    ----------
    hidden
        Hidden units of the reader.

    References
    ----------
    .. [1] R. B. Randall and J. Antoni, "Rolling element bearing diagnostics - a tutorial", Mech.
       Syst. Signal Process. 25 (2011) 485-520, doi:10.1016/j.ymssp.2010.07.017 (the lines)
    """

    name: ClassVar[str] = "tied_teeth"

    def __init__(
        self,
        channels: int,
        classes: int,
        length: int,
        slots: Sequence[Slot] = (),
        *,
        parts: tied.Parts | None = None,
        harmonics: Count = 4,
        hidden: Count = 8,
        noise: NotNegative = 0.5,
        band_dropout: Share = 0.3,
        tooth_dropout: Share = 0.1,
    ) -> None:
        disturb = tied.Disturbance(noise, band_dropout, tooth_dropout)
        super().__init__(channels, length, slots, harmonics, disturb)
        self.hidden = nn.Linear(length, hidden)
        self.reader = nn.Linear(hidden, 2)
        nn.init.zeros_(self.reader.weight)
        nn.init.zeros_(self.reader.bias)
        self.shares = nn.Parameter(torch.tensor([1.0, 0.0]))  # s, t
        self.classify = tied.TiedHead(tied.parts_for(self.name, classes, parts))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits ``(B, classes)`` of combs ``(B, 3 * bands, teeth)``."""
        combs = self.combs(x)
        z = self.scores(combs)  # (B, 3, bands)
        value, logit = self.reader(functional.relu(self.hidden(combs))).unbind(-1)
        read = (logit.softmax(-1) * value).sum(-1)  # (B, 3)
        clearest, mean = (z.softmax(-1) * z).sum(-1), z.mean(-1)
        evidence = read + self.shares[0] * clearest + self.shares[1] * mean
        logits: Tensor = self.classify(evidence)
        return logits
