"""Adaptive batch normalisation."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn

from faultdiag.errors import FaultdiagError

if TYPE_CHECKING:
    from torch import Tensor

BatchNorm = nn.modules.batchnorm._BatchNorm


class AdaBN(nn.Module):
    """The statistics of the batch normalisations, measured on the target.

    Running means and variances become the mean of those of target batches, weighted by the size
    of each. No weight changes and no label is used, so it needs neither source data nor training.

    Parameters
    ----------
    features, classes
        Width of the features and number of classes; neither matters.

    References
    ----------
    .. [1] Y. Li, N. Wang, J. Shi, J. Liu, X. Hou, "Revisiting Batch Normalization For Practical
       Domain Adaptation", arXiv:1603.04779
    """

    reference: ClassVar[str] = "Li et al. 2016, arXiv:1603.04779"
    kind: ClassVar[str] = "statistics"
    minimum_batch: ClassVar[int] = 2

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        del features, classes

    def forward(self, network: nn.Module, batches: "Iterable[tuple[Tensor, ...]]") -> None:
        """Replace the statistics of `network`; parameters as for `replace_statistics`."""
        replace_statistics(network, batches)


def norms_of(network: nn.Module) -> list[BatchNorm]:
    """Return the batch normalisations of a network that keep running statistics."""
    return [m for m in network.modules() if isinstance(m, BatchNorm) and m.track_running_stats]


@torch.no_grad()
def replace_statistics(network: nn.Module, batches: "Iterable[tuple[Tensor, ...]]") -> None:
    """Set running statistics to the size-weighted mean of those of batches.

    Everything else, such as dropout, works as in evaluation.

    Parameters
    ----------
    network
        Its weights stay.
    batches
        Arguments of the network; the length of the first counts. Each batch should be a mixture
        of the target's recordings.

    Raises
    ------
    FaultdiagError
        If the network has no batch normalisation.
    """
    norms = norms_of(network)
    if not norms:
        raise FaultdiagError(
            "transfer.method adabn replaces the statistics of batch normalisations, and this "
            "network has none; use mk_mmd_mcc, or shot where the source data is not at hand"
        )
    names = ("running_mean", "running_var")
    sums = [
        {name: torch.zeros_like(norm.get_buffer(name), dtype=torch.float64) for name in names}
        for norm in norms
    ]
    windows = 0
    with _batch_statistics(network, norms):
        for batch in batches:
            network(*batch)
            windows += len(batch[0])
            for norm, total in zip(norms, sums, strict=True):
                for name in names:
                    total[name] += len(batch[0]) * norm.get_buffer(name)
    for norm, total in zip(norms, sums, strict=True):
        for name in names:
            norm.get_buffer(name).copy_(total[name] / windows)


@contextmanager
def _batch_statistics(network: nn.Module, norms: list[BatchNorm]) -> Iterator[None]:
    """Let every norm store the statistics of the last batch; all other modules evaluate."""
    was_training = network.training
    momenta = [norm.momentum for norm in norms]
    counts = [norm.get_buffer("num_batches_tracked").clone() for norm in norms]
    network.eval()
    for module in network.modules():
        # Blocks that fold their norm into a kernel in evaluation must not do so here.
        if module in norms or any(child in norms for child in module.children()):
            module.training = True
    for norm in norms:
        norm.momentum = 1.0
    try:
        yield
    finally:
        for norm, momentum, count in zip(norms, momenta, counts, strict=True):
            norm.momentum = momentum
            norm.get_buffer("num_batches_tracked").copy_(count)
        network.train(was_training)
