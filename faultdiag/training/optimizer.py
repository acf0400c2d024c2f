"""The optimizer, with the published penalty on kernels alone, and its learning rate."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from inspect import unwrap
from typing import TypeVar, cast

import torch
from torch import nn

from faultdiag.documents import Document, Json
from faultdiag.models import kernel_parameters

_Kind = TypeVar("_Kind", bound=torch.optim.Optimizer)


def build_optimizer(
    network: nn.Module,
    *,
    name: str,
    learning_rate: float,
    l2: float,
    momentum: float = 0.9,
    others: Iterable[nn.Parameter] = (),
) -> torch.optim.Optimizer:
    """Build the optimizer with L2 on the kernels alone.

    The penalty is ``l2 * sum(w ** 2)`` over convolution and linear kernels, no bias,
    BatchNorm or attention weight, as in the published baseline. Its gradient ``2 * l2 * w`` is
    the coupled weight decay of Adam and SGD; AdamW takes ``l2`` as its decoupled decay. There is
    none on `others`, which are trained beside the network, such as a domain discriminator.
    """
    kernels = kernel_parameters(network)
    chosen = {id(parameter) for parameter in kernels}
    free = [*(p for p in network.parameters() if id(p) not in chosen), *others]
    decay = l2 if name == "adamw" else 2 * l2
    groups = [{"params": kernels, "weight_decay": decay}, {"params": free, "weight_decay": 0.0}]
    if name == "sgd":
        sgd = without_compiler(torch.optim.SGD)
        return sgd(groups, lr=learning_rate, momentum=momentum, fused=True)
    adam = without_compiler(torch.optim.AdamW if name == "adamw" else torch.optim.Adam)
    return adam(groups, lr=learning_rate, fused=True)


def without_compiler(kind: type[_Kind]) -> type[_Kind]:
    """Return a class of optimizers whose methods don't import torch's compiler.

    torch wraps them so that its compiler leaves them out, and the wrappers import the compiler,
    which takes 1.3 s. Nothing is compiled here, so the methods are used as they are below that.
    """
    names = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")
    methods = {name: unwrap(getattr(kind, name)) for name in names}
    # Turning gradients off is the other thing that the wrapper of a step does.
    step = torch.no_grad()(unwrap(kind.step))
    return cast("type[_Kind]", type(kind.__name__, (kind,), {**methods, "step": step}))


class LearningRate:
    """The learning rate of an optimizer, changed without waiting for the GPU.

    Parameters
    ----------
    optimizer
        All its parameter groups get the same rate.
    device
        The device of the rate, which is then a tensor at a fixed address that steps recorded as a
        CUDA graph read too. None: a plain number.

    Attributes
    ----------
    value
        The current rate.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, device: torch.device | None) -> None:
        self._optimizer = optimizer
        self.value: float = optimizer.param_groups[0]["lr"]
        # float32, because the optimizers of torch read no other type from a tensor.
        self._tensor = (
            None if device is None else torch.tensor(self.value, dtype=torch.float32, device=device)
        )
        self._attach()

    def set(self, value: float) -> None:
        """Set the rate."""
        if self._tensor is not None and value != self.value:
            self._tensor.fill_(value)
        self.value = value
        if self._tensor is None:
            self._attach()

    def _attach(self) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = self.value if self._tensor is None else self._tensor

    def state(self) -> Json:
        """Return the state of the optimizer, with the rate as a plain number on any device."""
        state = self._optimizer.state_dict()
        groups = [{**group, "lr": self.value} for group in state["param_groups"]]
        return {**state, "param_groups": groups}

    def restore(self, state: Document) -> None:
        """Restore a state of the optimizer."""
        self._optimizer.load_state_dict(dict(state))
        rate = float(state["param_groups"][0]["lr"])
        if self._tensor is not None:
            self._tensor.fill_(rate)
        self.value = rate
        self._attach()


@contextmanager
def recordable(optimizer: torch.optim.Optimizer) -> Iterator[None]:
    """Make the steps of an optimizer recordable as a CUDA graph while the block runs.

    Only then, because torch warns at every plain step of such an optimizer.
    """
    groups = [group for group in optimizer.param_groups if "capturable" in group]
    for group in groups:
        group["capturable"] = True
    try:
        yield
    finally:
        for group in groups:
            group["capturable"] = False
