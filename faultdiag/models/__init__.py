"""The networks: ``(batch, channels, length) -> (batch, classes)``, with slots for attention.

A network's constructor takes ``(channels, classes, length, slots)`` and its options as
keyword-only parameters. Its class gives ``reference``, ``positions(**options)`` (how many places
attention can take, counted from 1) and ``minimum_length(**options)`` in samples. Importing this
package does not import torch; building a network does.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from faultdiag.errors import FaultdiagError
from faultdiag.registry import Registry

if TYPE_CHECKING:
    from torch import nn


Attention = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None
Representation = str | Mapping[str, Any] | None

NETWORKS: "Registry[nn.Module]" = Registry(
    "network",
    {
        "wdcnn": "faultdiag.models.wdcnn:WDCNN",
        "cnn1d": "faultdiag.models.cnn1d:CNN1d",
        "ticnn": "faultdiag.models.ticnn:TICNN",
        "resnet1d": "faultdiag.models.resnet1d:ResNet1d",
        "densenet1d": "faultdiag.models.densenet1d:DenseNet1d",
        "transformer1d": "faultdiag.models.transformer1d:Transformer1d",
    },
)


def build(
    name: str,
    channels: int,
    classes: int,
    *,
    length: int,
    attention: Attention = None,
    representation: Representation = None,
    sampling_rate: float | None = None,
    **options: Any,
) -> "nn.Module":
    """Build a network that gives ``(batch, classes)`` logits of ``(batch, channels, length)``.

    Parameters
    ----------
    name
        A name of `NETWORKS`.
    channels, classes, length
        Channels and samples of a window; number of logits.
    attention
        None, one slot or a list of slots: ``{"name": "eca", "after": [2], "residual": True}``
        and the block's own options. Every position gets a block of its own.
    representation
        What the network sees of a window: a name of `faultdiag.representations`, or ``{name,
        **options}``; the raw window unless given. It may need the shaft rate of each window as
        a second argument of the network: `needs_speed` says so.
    sampling_rate
        Hz; only representations need it.
    options
        The network's options; ``NETWORKS.options(name)`` lists them.

    Raises
    ------
    FaultdiagError
        For a name, option, position or length that does not exist or does not work; all such
        problems are in the one message, a line each.

    Examples
    --------
    >>> network = build("wdcnn", 1, 10, length=2048, attention={"name": "eca", "after": 2})
    >>> sum(p.numel() for p in network.parameters())
    60713
    """
    from faultdiag.models.spec import examine

    shape = (channels, classes, length)
    found = examine(name, shape, attention, options, (representation, sampling_rate))
    if found.problems:
        raise FaultdiagError("\n".join(found.problems))
    return found.build()


def check(
    name: str,
    channels: int,
    classes: int,
    *,
    length: int,
    attention: Attention = None,
    representation: Representation = None,
    sampling_rate: float | None = None,
    options: Mapping[str, Any] | None = None,
) -> None:
    """Refuse whatever would keep a network from being built and run, before data is loaded.

    Beside what `build` refuses, two windows pass through the network, so that a block that
    cannot work at the length it would meet is found out. The global random state is kept.

    Raises
    ------
    FaultdiagError
        One error that names every problem, a line each, beginning with its place in the config.
    """
    from faultdiag.models.spec import examine

    shape = (channels, classes, length)
    found = examine(name, shape, attention, options or {}, (representation, sampling_rate))
    problems = found.problems + found.try_out()
    if problems:
        raise FaultdiagError("\n".join(problems))


def kernel_parameters(network: "nn.Module") -> list["nn.Parameter"]:
    """Give the kernels of the convolutions and dense layers outside attention slots.

    These are what the published L2 penalty applies to: no bias, no normalisation, no attention.

    Examples
    --------
    >>> kernels = kernel_parameters(build("wdcnn", 1, 10, length=2048))
    >>> len(kernels), sum(kernel.numel() for kernel in kernels)
    (7, 59880)
    """
    from faultdiag.models.layers import kernels_of

    return kernels_of(network)


def needs_speed(network: "nn.Module") -> bool:
    """Say whether a network must be given the shaft rate of each window, ``(B,)`` in Hz."""
    from faultdiag.models import spec

    return spec.needs_speed(network)
