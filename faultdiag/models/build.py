"""Build a network by its name, and look at what was built."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from faultdiag.documents import Document
from faultdiag.models.spec import parse_spec

if TYPE_CHECKING:
    from torch import nn

Attention = Document | Sequence[Document] | None
Representation = str | Document | None


def build(
    name: str,
    channels: int,
    classes: int,
    *,
    length: int,
    attention: Attention = None,
    representation: Representation = None,
    sampling_rate: float | None = None,
    **options: object,
) -> "nn.Module":
    """Build a network that returns ``(batch, classes)`` logits of ``(batch, channels, length)``.

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
        **options}``; unless given what the network is made for, which is the raw window for most.
        It may need the shaft rate of each window as a second argument of the network
        (`needs_speed`), or its conditions (`needs_bearing`).
    sampling_rate
        Hz; most representations need it.
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
    return parse_spec(
        name,
        channels,
        classes,
        length=length,
        attention=attention,
        representation=representation,
        sampling_rate=sampling_rate,
        options=options,
    ).build()


def kernel_parameters(network: "nn.Module") -> list["nn.Parameter"]:
    """Return the kernels of the convolutions and dense layers outside attention slots.

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
    """Whether a network must be given the shaft speed of each window."""
    from faultdiag.models import front

    return front.needs_speed(network)


def needs_bearing(network: "nn.Module") -> bool:
    """Whether a network must be given the conditions ``(B, 5)`` of the windows.

    These are `faultdiag.signal.bearings.CONDITIONS`: the shaft rate and the fault orders. Where it
    needs the speed alone it takes the shaft rates, ``(B,)`` in Hz.
    """
    from faultdiag.models import front

    return front.needs_bearing(network)
