"""One step of training and one of validation, the optimizer, and the order of the windows.

A front end has no parameters. Where no random change is made to the windows themselves, it shows
the same in every epoch, and a step needs to run the network behind it only. What networks change
at random (noise on combs, bands and units left out) comes after the front end.

Batch normalisation validates and predicts with running means of what it saw in training [1]_.
With the momentum m of the published networks, 0.01, such a mean starts from mean 0 and variance 1
and needs some hundred steps to forget them: a network that is right on 99 % of its training
windows can be right on 40 % of the validation windows, and an early epoch looks bad that is not.

Here the statistic of step t gets the weight

    f(t) = max(m, (DECAY + 1) / (t + DECAY)),

so it is a mean of all batches so far, later ones weighing more (polynomial-decay averaging [2]_;
with a decay of 0 it would be their plain mean), and from step (DECAY + 1) / m - DECAY on the
published one.

References
----------
.. [1] Ioffe, Szegedy, "Batch Normalization", 2015, arXiv:1502.03167
.. [2] Shamir, Zhang, "Stochastic Gradient Descent for Non-smooth Optimization", 2013,
   arXiv:1212.1824, section 4
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from inspect import unwrap
from typing import Any, ClassVar, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from faultdiag.documents import Document, Json
from faultdiag.inference import WindowBatches, arguments_of, autocast, forward
from faultdiag.models import kernel_parameters
from faultdiag.models.layers import FrontEndNetwork, seen_through
from faultdiag.training.augment import Augmentation

# Of 5 trainings on CWRU, the validation accuracy after epochs 1 and 2 was 42 and 42 % with the
# published statistics, 87 and 97 % with a decay of 0, and 97 and 99 % with one of 4 or of 9.
DECAY = 4
_Kind = TypeVar("_Kind", bound=torch.optim.Optimizer)


class RunningStatistics:
    """The running statistics of a network while it is trained.

    torch updates them with a fixed momentum m, ``new = (1 - m) * old + m * batch``. A factor
    before and a factor after that make it ``(1 - f) * old + f * batch``. All are tensors on the
    network's device, so that a recorded CUDA graph repeats them.

    Parameters
    ----------
    network
        Its normalisations with a momentum are updated together, one step after the other.
    """

    def __init__(self, network: nn.Module) -> None:
        self._groups: dict[float, list[_BatchNorm]] = {}
        for module in network.modules():
            if isinstance(module, _BatchNorm) and module.momentum and module.track_running_stats:
                self._groups.setdefault(module.momentum, []).append(module)

    @contextmanager
    def debiased(self) -> Iterator[None]:
        """Correct what one forward pass in training mode does to the statistics."""
        learning = [(m, [n for n in norms if n.training]) for m, norms in self._groups.items()]
        scaled = [(norms, _scale(momentum, norms)) for momentum, norms in learning if norms]
        yield
        for norms, factor in scaled:
            torch._foreach_mul_(_buffers(norms), factor)


def _scale(momentum: float, norms: list[_BatchNorm]) -> Tensor:
    """Scale the statistics for the coming step; return the factor for after it."""
    buffers = _buffers(norms)
    count = norms[0].get_buffer("num_batches_tracked").double()
    weight = (DECAY + 1) / (count + 1 + DECAY)
    early = weight > momentum
    before = (1 - weight) / (1 - momentum) * (momentum / weight)
    # Exactly 1 once the published momentum holds.
    torch._foreach_mul_(buffers, torch.where(early, before, 1.0).to(buffers[0].dtype))
    return torch.where(early, weight / momentum, 1.0).to(buffers[0].dtype)


def _buffers(norms: list[_BatchNorm]) -> list[Tensor]:
    # By way of `data`, because autograd keeps the buffers and would refuse their change.
    names = ("running_mean", "running_var")
    return [norm.get_buffer(name).data for norm in norms for name in names]


def shuffled(count: int, seed: int, epoch: int) -> Tensor:
    """Return the order of `count` windows in an epoch.

    It depends on seed and epoch alone: the random draws of a network (dropout) can't change it,
    and a resumed training needs no state for it.
    """
    order = np.arange(count, dtype=_smallest(count))
    np.random.default_rng([seed, epoch]).shuffle(order)
    return torch.from_numpy(order)


def balanced(
    labels: NDArray[np.integer],
    seed: int,
    epoch: int,
    *,
    groups: NDArray[np.integer] | None = None,
) -> Tensor:
    """Draw the windows of an epoch, of the usual number, with each class equally often.

    No window of a class repeats before all others of that class were drawn: a small class repeats
    its windows, and of a large class some are left for the next epoch.

    Parameters
    ----------
    labels
        Class of each window.
    groups
        Recording of each window: every recording of a class is drawn equally often, too.
    """
    rng = np.random.default_rng([seed, epoch])
    drawn = np.empty(len(labels), dtype=_smallest(len(labels)))
    classes = np.unique(labels)
    for place, label in enumerate(classes):
        members = np.flatnonzero(labels == label)
        mine = drawn[place :: len(classes)]
        if groups is None:
            _fill(mine, members, rng)
            continue
        own = rng.permutation(np.unique(groups[members]))
        for i, group in enumerate(own):
            _fill(mine[i :: len(own)], members[groups[members] == group], rng)
    rng.shuffle(drawn)
    return torch.from_numpy(drawn)


def _fill(
    drawn: NDArray[np.integer], members: NDArray[np.integer], rng: np.random.Generator
) -> None:
    """Fill `drawn` with members in random order; none repeats before all were drawn."""
    members = members.astype(drawn.dtype)
    for first in range(0, len(drawn), len(members)):
        rng.shuffle(members)
        drawn[first : first + len(members)] = members[: len(drawn) - first]


def class_weights(labels: NDArray[np.integer], classes: int) -> Tensor:
    """Return a weight per class that balances the classes: ``n / (classes n_c)``.

    A class without windows gets the weight 1, which has no effect.
    """
    counts = np.bincount(labels, minlength=classes)
    present = np.count_nonzero(counts)
    weights = np.where(counts, len(labels) / (present * np.maximum(counts, 1)), 1.0)
    return torch.from_numpy(weights.astype(np.float32))


def batch_sizes(count: int, size: int) -> list[int]:
    """Split a number of windows into batches; a single remaining one joins the batch before it.

    BatchNorm after a global mean has one value per window and channel, and a single value has no
    variance.

    Examples
    --------
    >>> batch_sizes(10, 4), batch_sizes(9, 4)
    ([4, 4, 2], [4, 5])
    """
    sizes = [size] * (count // size)
    rest = count % size
    if rest == 1 and sizes:
        sizes[-1] += 1
    elif rest:
        sizes.append(rest)
    return sizes


def _smallest(count: int) -> type[np.signedinteger]:
    return np.int32 if count < 2**31 else np.int64


class Step:
    """Forward, backward and one step of the optimizer: ``step(rows, *drawn)``.

    It draws no random numbers in Python, and on CUDA it neither copies from host memory nor waits
    for the device, so that it can be recorded as a CUDA graph.

    Parameters
    ----------
    network, batches, optimizer
        What is trained, the training windows, and the optimizer.
    augment
        Random changes of the windows, if any.
    balance
        Class of each training window, if the classes are to be balanced by weights.
    precision, clip_gradient, label_smoothing, trim
        As in the config's ``train`` section.
    statistics
        The network's running statistics, to be debiased; None: they are torch's own.

    Attributes
    ----------
    columns
        What its result is summed up as in the history of the training.
    """

    columns: ClassVar[tuple[str, ...]] = ("train_loss", "train_accuracy")

    def __init__(
        self,
        network: nn.Module,
        batches: WindowBatches,
        optimizer: torch.optim.Optimizer,
        augment: Augmentation | None = None,
        *,
        balance: NDArray[np.integer] | None,
        precision: str,
        clip_gradient: float | None,
        label_smoothing: float,
        trim: float = 0.0,
        statistics: RunningStatistics | None = None,
    ) -> None:
        self._network = network
        self._batches = batches
        self._optimizer = optimizer
        self._augment = augment
        self._debiased = nullcontext if statistics is None else statistics.debiased
        self._balance = balance
        self._weights: Tensor | None = None
        self._precision = precision
        self._clip = clip_gradient
        self._smoothing = label_smoothing
        self._trim = trim

    def __call__(self, rows: Tensor, *drawn: Tensor) -> Tensor:
        """Train on the windows of `rows`; return the sum of losses and the number of correct ones.

        Parameters
        ----------
        rows
            Indices of the windows, on the device.
        drawn
            The result of `Augmentation.draw`.
        """
        rows = rows.long()
        labels = self._batches.labels(rows)
        with autocast(self._batches.device, self._precision), self._debiased():
            logits: Tensor = self._network(*self._arguments(rows, drawn))
            loss = self._loss(logits, labels)
        self._descend(loss)
        right = (logits.detach().argmax(1) == labels).sum()
        return torch.stack((loss.detach() * len(rows), right))

    def _arguments(self, rows: Tensor, drawn: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        if self._augment is None:
            return arguments_of(self._network, self._batches, rows)
        windows, factor = self._augment.changed(rows, *drawn)
        return arguments_of(self._network, self._batches, rows, windows, factor)

    def _descend(self, loss: Tensor) -> None:
        """Compute the gradients of a loss and let the optimizer make a step."""
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self._clip:
            nn.utils.clip_grad_norm_(self._network.parameters(), self._clip)
        self._optimizer.step()

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        wide = logits if logits.dtype == torch.float64 else logits.float()
        if self._balance is not None and self._weights is None:
            weights = class_weights(self._balance, wide.shape[1])
            self._weights = weights.to(wide.device, wide.dtype)
        if left_out := int(self._trim * len(labels)):
            losses = functional.cross_entropy(wide.detach(), labels, reduction="none")
            kept = losses.topk(len(labels) - left_out, largest=False).indices
            wide, labels = wide[kept], labels[kept]
        return functional.cross_entropy(
            wide, labels, self._weights, label_smoothing=self._smoothing
        )


class ValidationStep:
    """Loss and correct windows, with the network in evaluation mode: ``step(rows)``.

    Parameters
    ----------
    network, batches, precision
        As for `Step`.
    """

    def __init__(self, network: nn.Module, batches: WindowBatches, *, precision: str) -> None:
        self._network = network
        self._batches = batches
        self._precision = precision

    def __call__(self, rows: Tensor) -> Tensor:
        """Return the sum of losses of the windows of `rows`, and the number of correct ones."""
        labels = self._batches.labels(rows)
        with autocast(self._batches.device, self._precision):
            logits = forward(self._network, self._batches, rows).double()
        loss = functional.cross_entropy(logits, labels, reduction="sum")
        return torch.stack((loss, (logits.argmax(1) == labels).sum()))


# Outputs are kept where they take at most this share of the signals' bytes, or so few bytes.
SHARE, FEW = 0.5, 8 << 20
# Windows at once: more of several seconds each would take much memory.
CHUNK = 64


def without_front(
    network: nn.Module, train: WindowBatches, valid: WindowBatches | None
) -> tuple[nn.Module, WindowBatches, WindowBatches | None]:
    """Return the network behind a front end, and both parts with the outputs of the front end.

    All three stay as they are where there is no front end, or its outputs for all windows would
    take too much memory. Parts that hold outputs already keep them.
    """
    if isinstance(network, FrontEndNetwork) and train.outputs is not None:
        return network.network, train, valid
    windows = len(train) + (0 if valid is None else len(valid))
    if not isinstance(network, FrontEndNetwork) or not _few(
        network.front, windows, train.signal_bytes
    ):
        return network, train, valid
    shown = None if valid is None else _shown(network, valid)
    return network.network, _shown(network, train), shown


def _few(front: Any, windows: int, signal_bytes: int) -> bool:
    channels, length = seen_through(front)
    return 4 * channels * length * windows <= max(SHARE * signal_bytes, FEW)


@torch.no_grad()
def _shown(network: FrontEndNetwork, part: WindowBatches) -> WindowBatches:
    outputs = torch.empty((len(part), *seen_through(network.front)), device=part.device)
    for first in range(0, len(part), CHUNK):
        rows = torch.arange(first, min(first + CHUNK, len(part)), device=part.device)
        outputs[rows] = network.front(*arguments_of(network, part, rows))
    return part.showing(outputs)


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
