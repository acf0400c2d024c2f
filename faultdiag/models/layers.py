"""Layers of networks: convolutions as images of height 1, attention in slots, front ends.

On a CPU a convolution, normalisation and pooling of ``(B, C, 1, L)`` images whose channels lie
innermost in memory take little more than half the time of their 1-D forms. `as_image` is the one
place where that layout is chosen; parameters keep the names and shapes of the 1-D layers.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import reduce
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from faultdiag import attention
from faultdiag.errors import FaultdiagError
from faultdiag.models.spec import PLACE, Slot, uses_previous


class AttentionSlot(nn.Module):
    """A block in its place: ``block(x)``, or ``x + block(x)`` if residual.

    For a pure gate g the residual form is ``x (1 + g)``: it can amplify but never suppress.
    """

    def __init__(self, block: nn.Module, *, residual: bool, place: str = PLACE) -> None:
        super().__init__()
        self.block = block
        self.residual = residual
        self.place = place
        self.uses_previous = bool(getattr(block, "uses_previous", False))

    def forward(self, x: Tensor, previous: list[Tensor]) -> Tensor:
        """Attend to ``(B, C, L)``; `previous` holds earlier stages' means, ``(B, C')`` each."""
        try:
            y: Tensor = self.block(x, previous) if self.uses_previous else self.block(x)
        except FaultdiagError as error:
            raise FaultdiagError(f"{self.place}: {error}") from error
        return x + y if self.residual else y


class Slots(nn.Module):
    """The attention slots of one network, by position.

    Parameters
    ----------
    slots
        Checked slots; every position at most once.
    widths
        Channels at each position, the first position first.
    previous
        Channels of the descriptors that reach each position; by default those of all the
        positions before it.

    Raises
    ------
    FaultdiagError
        If a block refuses its channels or options; all such problems in one message.
    """

    def __init__(
        self,
        slots: Sequence[Slot],
        widths: Sequence[int],
        previous: Sequence[tuple[int, ...]] | None = None,
    ) -> None:
        super().__init__()
        earlier = previous or [tuple(widths[:i]) for i in range(len(widths))]
        self.at = nn.ModuleDict()
        problems = []
        for slot in slots:
            for position in slot.after:
                place = f"{slot.place} after block {position}"
                try:
                    block = _build(slot, widths[position - 1], earlier[position - 1])
                except FaultdiagError as error:
                    problems.append(f"{place}: {error}")
                else:
                    entry = AttentionSlot(block, residual=slot.residual, place=place)
                    self.at[str(position)] = entry
        if problems:
            raise FaultdiagError("\n".join(problems))
        self.uses_previous = any(uses_previous(slot.name) for slot in slots)

    def forward(self, position: int, x: Tensor, previous: list[Tensor]) -> Tensor:
        """Attend to ``(B, C, L)`` at a position; where no slot is, return `x` itself."""
        key = str(position)
        if key not in self.at:
            return x
        y: Tensor = self.at[key](x, previous)
        return y

    def remember(self, previous: list[Tensor], x: Tensor) -> list[Tensor]:
        """Return `previous` and, if any block uses it, the channel means ``(B, C)`` of `x`."""
        return [*previous, x.mean(-1)] if self.uses_previous else previous


def _build(slot: Slot, channels: int, previous: tuple[int, ...]) -> nn.Module:
    extra = {"previous_channels": previous} if uses_previous(slot.name) else {}
    return attention.build(slot.name, channels, **slot.options, **extra)


Padding = Literal["same", "centred", "valid"]

# As in Keras' normalisation, which keeps 0.99 of the old mean and has the epsilon 1e-3.
_MOMENTUM = 0.01

# Up to this number of channels times stride, phases are faster than strides.
_MOST_PHASES: ContextVar[int] = ContextVar("_MOST_PHASES", default=32)


def as_image(x: Tensor) -> Tensor:
    """View ``(B, C, L)`` as ``(B, C, 1, L)`` with the channels innermost in memory.

    Copies only if the channels are not innermost already.
    """
    batch, channels, length = x.shape
    if channels > 1 and x.stride() == (channels * length, 1, channels):
        return x.unsqueeze(2)  # the same result as below, faster
    # Through rows, because a single channel keeps its stride through any other view, and torch
    # would then treat the channels as outermost.
    rows = x.transpose(1, 2).reshape(batch, length * channels)
    return rows.view(batch, 1, length, channels).permute(0, 3, 1, 2)


def same_padding(length: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros to put before and after so that ``ceil(length / stride)`` outputs result.

    The rule is that of Keras' ``same``: an odd total puts the extra zero at the end.

    Examples
    --------
    >>> same_padding(2048, 64, 16), same_padding(2047, 64, 16)
    ((24, 24), (24, 25))
    """
    outputs = -(-length // stride)
    total = max((outputs - 1) * stride + kernel - length, 0)
    return total // 2, total - total // 2


@contextmanager
def without_phases() -> Iterator[None]:
    """Compute strided convolutions and poolings without phases within the block."""
    token = _MOST_PHASES.set(0)
    try:
        yield
    finally:
        _MOST_PHASES.reset(token)


def in_phases(
    x: Tensor, kernel: Tensor, stride: int, padding: tuple[int, int]
) -> tuple[Tensor, Tensor, tuple[int, int]]:
    """Turn a strided convolution into one of stride 1 over ``stride`` times the channels.

    Sample ``stride * i + phase`` of a channel becomes sample ``i`` of that phase's channel, which
    in an image with the channels innermost is a view. A wide kernel over few channels then takes
    half the time. The products and sums stay the same, except for products with zeros.

    Parameters
    ----------
    x
        Images ``(B, C, 1, L)``.
    kernel
        ``(out, C, size)``.
    padding
        Zeros before and after the samples.

    Returns
    -------
    tuple
        Images ``(B, stride * C, 1, L')``, a kernel ``(out, stride * C, taps)`` and the padding,
        for a convolution of stride 1.
    """
    batch, channels, _, length = x.shape
    outputs = (length + sum(padding) - kernel.shape[2]) // stride + 1
    if length % stride:
        x = functional.pad(x, (0, -length % stride))
    x = x.permute(0, 2, 3, 1).reshape(batch, 1, -1, stride * channels).permute(0, 3, 1, 2)
    before = -padding[0] % stride
    size = before + kernel.shape[2]
    kernel = functional.pad(kernel, (before, -size % stride))
    kernel = kernel.unflatten(2, (-1, stride)).permute(0, 3, 1, 2).flatten(1, 2)
    left = (padding[0] + before) // stride
    return x, kernel, (left, outputs + kernel.shape[2] - 1 - left - x.shape[3])


class Convolution(nn.Conv1d):
    """A 1-D convolution of images ``(B, C, 1, L)``; ``weight`` is ``(out, in, kernel)``.

    Parameters
    ----------
    inputs, outputs, kernel
        Channels in and out; kernel size.
    stride, bias
        As for ``torch.nn.Conv1d``.
    padding
        ``same`` pads as Keras does, ``centred`` puts ``kernel // 2`` zeros at both ends (an odd
        kernel then gives ``ceil(L / stride)`` outputs, too), ``valid`` puts none.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        bias: bool = True,
        padding: Padding = "same",
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride=stride, bias=bias)
        self.rule = padding

    def kernel(self) -> Tensor:
        """Return the kernel to convolve with; a subclass may disturb it."""
        return self.weight

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(B, out, 1, L')`` of ``(B, in, 1, L)``."""
        return self.convolve(x, self.kernel(), self.bias)

    def convolve(self, x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        """Convolve with another kernel and bias of the same shapes."""
        size, stride = self.kernel_size[0], self.stride[0]
        padding = (size // 2, size // 2) if self.rule == "centred" else (0, 0)
        if self.rule == "same":
            padding = same_padding(x.shape[-1], size, stride)
        if stride > 1 and self.in_channels * stride <= _MOST_PHASES.get():
            x, kernel, padding = in_phases(x, kernel, stride, padding)
            stride = 1
        left, right = padding
        if left != right:
            x = functional.pad(x, padding)
            left = 0
        return functional.conv2d(x, kernel.unsqueeze(2), bias, (1, stride), (0, left))


class ConvolutionBlock(nn.Module):
    """Convolution, batch normalisation, max pooling, ReLU: ``(B, C, L) -> (B, K, L')``.

    ReLU after the pooling gives the same values and gradients as before it, on fewer samples.

    Parameters
    ----------
    conv
        The convolution.
    pool
        Samples of each maximum, without overlap; a remainder at the end is dropped.
    """

    def __init__(self, conv: Convolution, pool: int = 2) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.BatchNorm2d(conv.out_channels, eps=1e-3, momentum=_MOMENTUM)
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output for ``(B, C, L)``."""
        x = as_image(x)
        if not self.training:
            return self._evaluate(x).squeeze(2)
        x = self._normalised(x)  # (B, K, 1, L / stride)
        return functional.max_pool2d(x, (1, self.pool)).relu_().squeeze(2)  # (B, K, L')

    def _normalised(self, x: Tensor) -> Tensor:
        """Convolve and normalise by the batch's statistics.

        Subtracting the mean cancels the bias, so that its gradient is zero up to rounding. Leaving
        the bias out saves one part in twenty of a step; only the running mean needs it.
        """
        norm, bias = self.norm, self.conv.bias
        x = norm(self.conv.convolve(x, self.conv.kernel(), None))
        if bias is not None:
            # Through `data`, because autograd keeps the buffer and would refuse the change.
            momentum = norm.momentum or 0.0
            cast("Tensor", norm.running_mean).data.add_(bias.detach(), alpha=momentum)
        return x

    def _evaluate(self, x: Tensor) -> Tensor:
        """Return the same with the normalisation folded into the kernel and no index of the maxima.

        That is 1.5 times as fast for evaluation.
        """
        norm, bias = self.norm, self.conv.bias
        mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
        scale = norm.weight * torch.rsqrt(variance + norm.eps)
        shift = norm.bias + scale * (-mean if bias is None else bias - mean)
        x = self.conv.convolve(x, self.conv.kernel() * scale[:, None, None], shift)
        if not _MOST_PHASES.get():
            return functional.max_pool2d(x, (1, self.pool)).relu_()
        full = x.shape[-1] // self.pool * self.pool
        phases = (x[..., start : full : self.pool] for start in range(self.pool))
        return reduce(torch.maximum, phases).relu_()


class Stack(nn.Module):
    """Convolution blocks in a row, with attention after each; a subclass adds the classifier.

    Parameters
    ----------
    convolutions
        One for each block.
    slots
        Attention after any of the blocks.
    pool
        As for `ConvolutionBlock`.
    """

    def __init__(
        self, convolutions: Sequence[Convolution], slots: Sequence[Slot], *, pool: int = 2
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(ConvolutionBlock(conv, pool) for conv in convolutions)
        self.attention = Slots(slots, [conv.out_channels for conv in convolutions])

    def features(self, x: Tensor) -> Tensor:
        """Return the output ``(B, C, L)`` of the last block for windows."""
        previous: list[Tensor] = []
        for position, block in enumerate(self.blocks, start=1):
            x = self.attention(position, block(x), previous)  # (B, C, L)
            previous = self.attention.remember(previous, x)
        return x


class FlattenedStack(Stack):
    """A stack whose output is flattened into a dense layer of 100 ReLU units, then the classes.

    Parameters
    ----------
    convolutions, slots
        As for `Stack`.
    classes
        Number of logits.
    positions
        Length of the last block's output.
    dropout
        Share of the 100 hidden units dropped in training.
    """

    def __init__(
        self,
        convolutions: Sequence[Convolution],
        slots: Sequence[Slot],
        *,
        classes: int,
        positions: int,
        dropout: float,
    ) -> None:
        super().__init__(convolutions, slots)
        self.hidden = nn.Linear(convolutions[-1].out_channels * positions, 100)
        self.dropout = dropout_of(dropout)
        self.classify = nn.Linear(100, classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits ``(B, classes)`` of windows ``(B, channels, length)``."""
        x = self.features(x).transpose(1, 2).flatten(1)  # (B, L * C), channels innermost
        logits: Tensor = self.classify(self.dropout(functional.relu(self.hidden(x))))
        return logits


class Stem(nn.Module):
    """A convolution of stride 4 and a maximum of 3 with stride 2, before the blocks of a network.

    The blocks must leave 2 positions or more, so that a batch of one window has a variance to
    normalise by.

    Parameters
    ----------
    channels, width, kernel
        Channels in and out; kernel size.
    """

    def __init__(self, channels: int, width: int, kernel: int) -> None:
        super().__init__()
        self.stem = Convolution(channels, width, kernel, stride=4, bias=False)
        self.stem_norm = nn.BatchNorm2d(width)

    def stemmed(self, x: Tensor) -> Tensor:
        """Return the image ``(B, width, 1, L / 8)`` of windows ``(B, C, L)``."""
        x = functional.relu(self.stem_norm(self.stem(as_image(x))))  # (B, width, 1, L / 4)
        return functional.max_pool2d(x, (1, 3), (1, 2), (0, 1))

    def add_classifier(self, features: int, classes: int, *, dropout: float) -> None:
        """Add dropout and the dense layer, the last modules, and draw all kernels after He et al.

        They are normal with the variance ``2 / (outputs * kernel)``.
        """
        self.dropout = dropout_of(dropout)
        self.classify = nn.Linear(features, classes)
        for module in own_modules(self):
            if isinstance(module, Convolution):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def dropout_of(share: float) -> nn.Module:
    """Return a dropout of this share, the identity for 0."""
    return nn.Dropout(share) if share else nn.Identity()


def lay_out(network: nn.Module) -> None:
    """Put the channels of all kernels innermost in memory, as those of the images are.

    A convolution would otherwise copy its kernel, and the gradient of it, at every step.
    """
    for module in network.modules():
        if isinstance(module, Convolution):
            kernel = module.weight.detach()  # (out, in, size)
            module.weight.data = kernel.transpose(1, 2).contiguous().transpose(1, 2)


def initialise(network: nn.Module) -> None:
    """Draw kernels as Keras does (Glorot uniform) and zero the biases, outside attention slots."""
    for module in own_modules(network):
        if isinstance(module, nn.Conv1d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def own_modules(network: nn.Module) -> list[nn.Module]:
    """All modules of a network, itself first, without those inside attention slots."""
    if isinstance(network, AttentionSlot):
        return []
    children = [module for child in network.children() for module in own_modules(child)]
    return [network, *children]


def kernels_of(network: nn.Module) -> list[nn.Parameter]:
    """Return the kernels of the convolutions and dense layers outside attention slots."""
    return [
        parameter
        for module in own_modules(network)
        if isinstance(module, nn.Conv1d | nn.Linear)
        for name, parameter in module.named_parameters(recurse=False)
        if name == "weight"
    ]


class FrontEndNetwork(nn.Module):
    """A network that sees a representation of the windows: ``(B, C, L) -> (B, classes)``.

    Parameters
    ----------
    front
        The representation; it has no parameters.
    network
        Built for the output of `front`.
    """

    def __init__(self, front: nn.Module, network: nn.Module) -> None:
        super().__init__()
        self.front = front
        self.network = network

    @property
    def in_double(self) -> bool:
        """Whether predictions run in float64 up to the network: if it can be exported."""
        return not hasattr(self.front, "not_exported")

    def forward(self, windows: Tensor, facts: Tensor | None = None) -> Tensor:
        """Return the logits of windows.

        Parameters
        ----------
        windows
            ``(B, C, L)``.
        facts
            What the front end needs to know of each window, if anything: the shaft rates ``(B,)``
            in Hz, or the conditions ``(B, 5)``.
        """
        seen = self.front(windows, facts)
        kinds = (parameter.dtype for parameter in self.network.parameters())
        logits: Tensor = self.network(seen.to(next(kinds, seen.dtype)))
        return logits


def seen_through(front: Any) -> tuple[int, int]:
    """Return the channels and the length of a front end's output."""
    return int(front.out_channels), int(front.out_length)


def seen_by(network: nn.Module, windows: Tensor) -> Tensor:
    """Return raw windows for a prediction: in float64 for front ends and for features.

    Each runtime rounds its float32 sums differently, and logarithms of weak lines, choices between
    lines and thresholds of trees magnify that: probabilities of an exported graph and of its
    network differed by up to 3e-4 for combs. They agree when windows are normalised and transformed
    in float64.
    """
    return windows.double() if getattr(network, "in_double", False) else windows


def needs_speed(network: nn.Module) -> bool:
    """Whether a network or baseline must be given the shaft speed of each window."""
    return _needs(network, "needs_speed")


def needs_bearing(network: nn.Module) -> bool:
    """Whether a network must be given the conditions of each window, fault orders included."""
    return _needs(network, "needs_bearing")


def _needs(network: nn.Module, fact: str) -> bool:
    first = network.front if isinstance(network, FrontEndNetwork) else network
    return bool(getattr(first, fact, False))


def facts_for(network: nn.Module, conditions: Tensor) -> tuple[Tensor, ...]:
    """Return the inputs of a network besides windows: nothing, shaft rates, or conditions.

    Parameters
    ----------
    conditions
        ``(B, 5)``: `faultdiag.signal.bearings.CONDITIONS` of each window.
    """
    if needs_bearing(network):
        return (conditions,)
    return (conditions[:, 0],) if needs_speed(network) else ()
