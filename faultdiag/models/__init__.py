"""The networks: ``(batch, channels, length) -> (batch, classes)``, with slots for attention.

A network's constructor takes ``(channels, classes, length, slots)`` and its options as
keyword-only parameters. Its class has ``reference``, ``positions(**options)`` (how many places
attention can take, counted from 1) and ``minimum_length(**options)`` in samples. Importing this
package does not import torch; building a network does.
"""

from faultdiag.models.spec import build, kernel_parameters, needs_bearing, needs_speed
from faultdiag.models.zoo import NETWORKS

list = NETWORKS.names
register = NETWORKS.register

__all__ = [
    "NETWORKS",
    "build",
    "kernel_parameters",
    "list",
    "needs_bearing",
    "needs_speed",
    "register",
]
