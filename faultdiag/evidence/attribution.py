"""Attribution: relevance over time and over a front end's output, and attention gates.

The gradient methods come from captum, the extra ``explain``:

==========================  =================================================================
``gradient_x_input``        the value of each sample times the slope of the logit there [1]_
``integrated_gradients``    the same, with the slope averaged on the way from zero [2]_; its sum
                            is the logit less the logit of zero
``grad_cam``                channels of the last convolution, weighted by their mean slope [3]_
==========================  =================================================================

They say what moves the logit of one class; none says that the network is right.

References
----------
.. [1] A. Shrikumar, P. Greenside, A. Shcherbina and A. Kundaje, "Not just a black box: learning
   important features through propagating activation differences", 2016, arXiv:1605.01713
.. [2] M. Sundararajan, A. Taly and Q. Yan, "Axiomatic attribution for deep networks", 2017,
   arXiv:1703.01365
.. [3] R. R. Selvaraju et al., "Grad-CAM: visual explanations from deep networks via
   gradient-based localization", 2017, arXiv:1610.02391
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from faultdiag.arrays import Floats
from faultdiag.errors import (
    FaultdiagError,
    needs_extra,
)
from faultdiag.evidence.explanation import Gate
from faultdiag.models.layers import AttentionSlot

# Steps of integrated gradients are doubled until its sum is complete to this share, or too many.
COMPLETE = 1e-3
FEWEST_STEPS, MOST_STEPS = 32, 2048
# Four times as many steps must leave less than this share of the error.
HELPFUL = 0.9


@dataclass(frozen=True, slots=True)
class Target:
    """The quantity to explain: one logit of a network, for windows it takes.

    See `target_of`, which makes one in double precision: integrated gradients need it to be
    complete.

    Parameters
    ----------
    network
        ``(W, C, L)`` and shaft rates to logits, in evaluation mode.
    inputs
        Normalised windows, or what the network sees of them, ``(W, C, L)``.
    extra
        Further arguments of the network: shaft rates ``(W,)`` in Hz where it needs them.
    label
        Index of the class.
    """

    network: nn.Module
    inputs: Tensor
    extra: tuple[Tensor, ...]
    label: int


def target_of(
    network: nn.Module, inputs: Tensor, label: int, extra: tuple[Tensor, ...] = ()
) -> Target:
    """Return a target on a copy of the network in double precision, its weights without gradients.

    Parameters
    ----------
    network, inputs, label, extra
        As those of `Target`, in any precision; the network itself stays as it is.
    """
    copy = deepcopy(network).eval().double().requires_grad_(requires_grad=False)
    return Target(copy, inputs.detach().double(), tuple(t.double() for t in extra), label)


def gradient_x_input(target: Target) -> Floats:
    """Compute gradient times input, ``(windows, channels, length)``."""
    return _attributed(target, _captum().InputXGradient(target.network))


def integrated_gradients(target: Target) -> Floats:
    """Compute integrated gradients from a zero window, ``(windows, channels, length)``.

    Steps are added until, for each window, the sum differs from the difference of the logits by
    0.1 % of it at most. A network that standardises each window sees the same at all steps but
    the last, and more steps don't help.

    Raises
    ------
    FaultdiagError
        If that needs more than 2048 steps, or four times as many hardly help.
    """
    method = _captum().IntegratedGradients(target.network)
    difference = _logit(target, target.inputs) - _logit(target, torch.zeros_like(target.inputs))
    errors: list[float] = []
    for steps in 2 ** np.arange(np.log2(FEWEST_STEPS), np.log2(MOST_STEPS) + 1).astype(int):
        relevance = _attributed(target, method, n_steps=int(steps), internal_batch_size=256)
        off = np.abs(relevance.sum(axis=(1, 2)) - difference)
        if (off <= COMPLETE * np.maximum(np.abs(difference), 1e-6)).all():
            return relevance
        errors.append(float(off.max()))
        if len(errors) > 2 and errors[-1] > HELPFUL * errors[-3]:
            break
    raise FaultdiagError(
        f"integrated gradients of this network are incomplete by {errors[-1]:.2g} after {steps} "
        f"steps (logit difference {np.abs(difference).min():.3g}): a network that standardises "
        "what it sees takes a quieter window for the same; gradient_x_input doesn't need that"
    )


def grad_cam(target: Target) -> Floats:
    """Compute Grad-CAM at the last convolution, ``(windows, length)``, at the input's resolution.

    Raises
    ------
    FaultdiagError
        If the network has no convolution.
    """
    layer = _last_convolution(target)
    if layer is None:
        raise FaultdiagError("Grad-CAM needs a convolution, and this network has none")
    method = _captum().LayerGradCam(target.network, layer)
    relevance = _attributed(target, method, relu_attributions=True)
    places = np.linspace(0, relevance.shape[-1] - 1, target.inputs.shape[-1])
    grid = np.arange(relevance.shape[-1])
    # Layers give (W, C, L') or images (W, C, 1, L').
    rows = relevance.reshape(len(relevance), -1, relevance.shape[-1]).sum(axis=1)
    return np.stack([np.interp(places, grid, row) for row in rows])


def _last_convolution(target: Target) -> nn.Module | None:
    """Return the last layer with a convolution in it that gives channels over positions.

    Blocks may use the weights of their convolutions without calling them, so what counts is which
    modules are called.
    """
    called: list[nn.Module] = []

    def note(module: nn.Module, _: object, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim in {3, 4} and output.shape[-1] > 1:
            called.append(module)

    layers = [m for m in target.network.modules() if _convolves(m)]
    handles = [layer.register_forward_hook(note) for layer in layers]
    try:
        with torch.no_grad():
            target.network(target.inputs[:1], *(t[:1] for t in target.extra))
    finally:
        for handle in handles:
            handle.remove()
    return called[-1] if called else None


def _convolves(module: nn.Module) -> bool:
    return any(isinstance(child, nn.Conv1d) for child in (module, *module.children()))


METHODS: Mapping[str, Callable[[Target], Floats]] = {
    "gradient_x_input": gradient_x_input,
    "integrated_gradients": integrated_gradients,
    "grad_cam": grad_cam,
}


def has_captum() -> bool:
    """Whether the extra ``explain`` is installed."""
    try:
        _captum()
    except FaultdiagError:
        return False
    return True


def _captum() -> Any:
    with needs_extra("explain", "relevance over time is computed by captum"):
        import captum.attr
    return captum.attr


def _attributed(target: Target, method: Any, **options: Any) -> Floats:
    arguments = {"target": target.label, "additional_forward_args": target.extra or None}
    inputs = target.inputs.clone().requires_grad_()
    if not target.network(inputs[:1], *(t[:1] for t in target.extra)).requires_grad:
        raise FaultdiagError(
            "no gradient reaches the samples: this model or its front end is computed without "
            "gradients, as baselines and vmd are; relevance over frequency doesn't need them"
        )
    relevance = method.attribute(inputs, **arguments, **options)
    return np.asarray(relevance.detach().cpu().double().numpy())


def _logit(target: Target, inputs: Tensor) -> Floats:
    with torch.no_grad():
        logits = target.network(inputs, *target.extra)
    return np.asarray(logits[:, target.label].cpu().numpy())


def attention_gates(network: nn.Module, run: Callable[[], object]) -> list[Gate]:
    """Measure what the attention blocks of a network do to each channel, while `run` runs it.

    For any block y(x) the gain of a channel is ``sum(x y) / sum(x x)`` over windows and
    positions, the least-squares factor from input to output. For a block that multiplies
    channels by a gate it is the mean gate, weighted with the energy of the windows.
    """
    slots = {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, AttentionSlot)
    }
    sums = {name: torch.zeros(2, 1, dtype=torch.float64) for name in slots}
    handles = [
        slot.block.register_forward_hook(_adding_to(sums, name)) for name, slot in slots.items()
    ]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    return [
        Gate(name, type(slot.block).__name__, _gains(sums[name])) for name, slot in slots.items()
    ]


def _adding_to(sums: dict[str, Tensor], name: str) -> Callable[..., None]:
    def add(_: nn.Module, arguments: tuple[Tensor, ...], output: Tensor) -> None:
        x, y = arguments[0].detach().double().cpu(), output.detach().double().cpu()
        products = torch.stack([(x * y).sum((0, 2)), (x * x).sum((0, 2))])  # (2, C)
        sums[name] = sums[name] + products

    return add


def _gains(sums: Tensor) -> Floats:
    over, under = np.asarray(sums.numpy(), dtype=np.float64)
    return np.asarray(np.divide(over, under, out=np.ones_like(over), where=under > 0))
