"""Transfer methods by name: from a labelled source to an unlabelled target.

A method is one file and one row of `TRANSFER`. Its class is built with ``(features, classes)``,
the width of the network's features before the classifier and the number of classes, and with its
options as keyword-only parameters. It has

``reference``
    The paper.
``kind``
    ``joint``: a loss on a batch of both domains, ``method(source, target, ramp)``;
    ``source_free``: a loss on target windows alone, ``method(target, pseudo_labels)``;
    ``statistics``: no loss, it replaces what normalisation layers have stored.
``minimum_batch``
    The fewest windows of each domain that the estimate needs.

No method sees a target label. Importing this package does not import torch; building does.
"""

from typing import TYPE_CHECKING, Any

from faultdiag.registry import Registry

if TYPE_CHECKING:
    from torch import nn

TRANSFER: "Registry[nn.Module]" = Registry(
    "transfer method",
    {
        "adabn": "faultdiag.transfer.adabn:AdaBN",
        "mk_mmd": "faultdiag.transfer.mk_mmd:MKMMD",
        "jmmd": "faultdiag.transfer.jmmd:JMMD",
        "coral": "faultdiag.transfer.coral:CORAL",
        "dann": "faultdiag.transfer.dann:DANN",
        "cdan": "faultdiag.transfer.cdan:CDAN",
        "mcc": "faultdiag.transfer.mcc:MCC",
        "mk_mmd_mcc": "faultdiag.transfer.mk_mmd_mcc:MKMMDWithMCC",
        "shot": "faultdiag.transfer.shot:SHOT",
    },
    group="faultdiag.transfer",
)


def build(name: str, features: int, classes: int, **options: Any) -> "nn.Module":
    """Build the transfer method registered as `name`.

    Parameters
    ----------
    name
        A name of `TRANSFER`.
    features, classes
        Width of the features before the classifier; number of classes.
    options
        The method's own options; ``TRANSFER.options(name)`` lists them.

    Raises
    ------
    FaultdiagError
        For an unknown name or option, or a value of the wrong type.

    Examples
    --------
    >>> build("mk_mmd", 100, 9).kind
    'joint'
    """
    return TRANSFER.build(name, features, classes, **options)


def kind_of(name: str) -> str:
    """Return the kind of the method registered as `name`.

    Raises
    ------
    FaultdiagError
        For an unknown name.
    """
    method: Any = TRANSFER.get(name)
    return str(method.kind)


def minimum_batch(name: str) -> int:
    """Return the fewest windows of each domain that the method's estimate needs."""
    method: Any = TRANSFER.get(name)
    return int(method.minimum_batch)
