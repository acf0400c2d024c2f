"""A network of twenty parameters that names the damaged part of any bearing."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from faultdiag.models import tied
from faultdiag.models.spec import Slot
from faultdiag.option_types import Count, NotNegative, Share


class TiedZ(tied.TiedNetwork):
    """Scores at the fault orders of a bearing, one reader for all parts: about 20 parameters.

    Of every part's scores ``z`` over the bands (see `faultdiag.models.tied.CombScores`) the reader
    sees three numbers: ``sum w z`` with ``w = softmax(q z)``, their mean and their standard
    deviation. Batch normalisation and one linear unit, the same for all parts, turn these into the
    evidence for the part, and `faultdiag.models.tied.TiedHead` turns the evidence into logits. No
    weight belongs to one part, one band or one bearing, so what is learned carries over to
    bearings of other geometry and to other machines.

    The other parameters and the errors are those of `faultdiag.models.tied.TiedNetwork`.

    Parameters
    ----------
    pool
        The first number of the three: ``softmax`` as above, or ``mean``, which leaves ``w`` out.

    References
    ----------
    .. [1] R. B. Randall and J. Antoni, "Rolling element bearing diagnostics - a tutorial", Mech.
       Syst. Signal Process. 25 (2011) 485-520, doi:10.1016/j.ymssp.2010.07.017 (the lines)
    """

    name: ClassVar[str] = "tied_z"

    def __init__(
        self,
        channels: int,
        classes: int,
        length: int,
        slots: Sequence[Slot] = (),
        *,
        parts: tied.Parts | None = None,
        harmonics: Count = 4,
        pool: Literal["softmax", "mean"] = "softmax",
        noise: NotNegative = 0.5,
        band_dropout: Share = 0.3,
        tooth_dropout: Share = 0.1,
    ) -> None:
        disturb = tied.Disturbance(noise, band_dropout, tooth_dropout)
        super().__init__(channels, length, slots, harmonics, disturb)
        self.sharpness = nn.Parameter(torch.tensor(1.0)) if pool == "softmax" else None  # q
        self.norm = nn.BatchNorm1d(3)
        self.reader = nn.Linear(3, 1)
        self.classify = tied.TiedHead(tied.parts_for(self.name, classes, parts))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits ``(B, classes)`` of combs ``(B, 3 * bands, teeth)``."""
        logits: Tensor = self.classify(self._evidence(self.scores(self.combs(x))))
        return logits

    def _evidence(self, z: Tensor) -> Tensor:
        """Return the evidence ``(B, 3)`` in scores ``(B, 3, bands)``."""
        mean = z.mean(-1)
        spread = (z - mean.unsqueeze(-1)).square().mean(-1).add(1e-12).sqrt()
        pooled = mean
        if self.sharpness is not None:
            pooled = ((self.sharpness * z).softmax(-1) * z).sum(-1)
        inputs = torch.stack((pooled, mean, spread), -1).flatten(0, 1)  # (B * 3, 3)
        evidence: Tensor = self.reader(self.norm(inputs))
        return evidence.view(-1, 3)
