"""Adapting a network to an unlabelled target: the steps, the target's windows, their state.

A training with transfer has two phases. The first is a training on the source. In the second,
here, each step sees a batch of the source and one of the target in one forward pass, so that
batch normalisation has the statistics of both; a source-free method sees the target alone. The
labels of target windows never get here: the windows come with -1 in their place.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from faultdiag.baselines import BASELINES
from faultdiag.config.schema import Config, TransferConfig
from faultdiag.documents import Document, Json
from faultdiag.errors import FaultdiagError, did_you_mean, unknown
from faultdiag.inference import BATCH, WindowBatches, arguments_of, autocast
from faultdiag.metrics.unlabelled import describe_unlabelled, reverse_accuracy
from faultdiag.novelty import evenly
from faultdiag.preparing.folder import Prepared
from faultdiag.splits.within import TARGET_ADAPT
from faultdiag.training.step import Step, batch_sizes
from faultdiag.transfer import TRANSFER, build, kind_of, minimum_batch
from faultdiag.transfer.adabn import norms_of, replace_statistics
from faultdiag.transfer.domains import Domain, FeatureNetwork, classifier_of, ramp
from faultdiag.transfer.shot import pseudo_labels

# Separates the order of target windows from that of source windows, which use the same seed.
_STREAM = 0x746774

# Most target windows that are evaluated after each epoch.
MOST_JUDGED = 2048

# Windows of a batch whose statistics are measured.
MIXED_BATCH = 256

# Pseudo-labels are computed this many times during an adaptation.
RENEWALS = 5

# What an epoch is chosen by: the larger the better.
MERITS: dict[str, Callable[[Document], tuple[float, ...]]] = {
    "last": lambda row: (row["epoch"],),
    "agreement": lambda row: (row["target_agreement"], row["target_information"]),
    "mcc": lambda row: (-row["target_confusion"],),
    "infomax": lambda row: (row["target_information"],),
    "reverse_validation": lambda row: (row["reverse_accuracy"], row["target_information"]),
}


def first_adapted_epoch(config: Config) -> int:
    """Return how many epochs of a config are on the source alone.

    With a method that doesn't train, or with ``transfer.steps``, those are all; else
    ``transfer.start_epoch``, or half.
    """
    transfer, epochs = config.transfer, config.train.epochs
    if transfer is None or transfer.steps is not None or not trains(transfer.method):
        return epochs
    return transfer.start_epoch or max(epochs // 2, 1)


def batch_size_of(config: Config) -> tuple[int, str]:
    """Return how many windows of each domain are in a step, and the words for it in a message."""
    if config.transfer is None or config.transfer.batch_size is None:
        return config.train.batch_size, "train.batch_size is"
    return config.transfer.batch_size, "transfer.batch_size is"


def trains(method: str) -> bool:
    """Return whether a transfer method trains the network on the target."""
    return method != NO_METHOD and kind_of(method) != "statistics"


# The method that adapts nothing: the same source, target and parts, to compare others with.
NO_METHOD = "none"


def require_method(config: Config) -> None:
    """Refuse a transfer method or option that is unknown, or that has no effect.

    Raises
    ------
    FaultdiagError
        Naming what is wrong, and what would work.
    """
    transfer = config.transfer
    if transfer is None:
        return
    if transfer.method == NO_METHOD:
        _require_no_effect(transfer.method, transfer.options)
        return
    if transfer.method not in TRANSFER:
        raise FaultdiagError(
            f"transfer.method: {unknown(TRANSFER.kind, transfer.method, [NO_METHOD, *TRANSFER])}"
        )
    problems = TRANSFER.problems(transfer.method, transfer.options)
    if problems:
        raise FaultdiagError(
            "\n".join(
                f"transfer.{key}: {_with_fields(key, text)}" for key, text in problems.items()
            )
        )
    if config.model.name in BASELINES:
        raise FaultdiagError(
            f"transfer adapts networks, and model.name is the baseline '{config.model.name}'; "
            "choose a network, such as wdcnn, or transfer.method: none"
        )
    require_windows(transfer.method, *batch_size_of(config))


def _with_fields(key: str, text: str) -> str:
    """Return a problem of an option, and the field of the section that it may be meant for."""
    meant = did_you_mean(key, TransferConfig.model_fields)
    return f"{text}; or a field of the section{meant}" if meant else text


def require_phases(config: Config) -> None:
    """Refuse a training whose config leaves open where the adaptation begins.

    Raises
    ------
    FaultdiagError
        Naming the setting, and what would work.
    """
    transfer = config.transfer
    if transfer is None or transfer.method == NO_METHOD:
        return
    if not trains(transfer.method):
        if transfer.start_epoch is not None:
            raise FaultdiagError(
                f"transfer.start_epoch is {transfer.start_epoch}, but {transfer.method} adapts "
                "after the last epoch; leave it out"
            )
        return
    if transfer.steps is not None:
        return
    if config.train.steps is not None:
        raise FaultdiagError(
            f"train.steps is {config.train.steps}, and nothing says how many steps adapt after "
            "them; add transfer.steps, such as 500, or write train.epochs in place of train.steps"
        )
    if config.train.epochs < 2:
        raise FaultdiagError(
            f"train.epochs is {config.train.epochs}, which leaves no epoch to adapt in; use 2 or "
            "more, or add transfer.steps, such as 500"
        )


def _require_no_effect(method: str, options: Document) -> None:
    if options:
        raise FaultdiagError(
            f"transfer.method is '{method}', which has no option {next(iter(options))!r}; leave it "
            f"out, or choose a method: {', '.join(sorted(TRANSFER))}"
        )


@dataclass(frozen=True)
class AdaptationSettings:
    """Settings of an adaptation: the fields of the config's ``transfer`` section, and the seed."""

    method: str
    options: Document
    weight: float
    selection: str
    seed: int


class JointStep(Step):
    """A step on a batch of both domains: ``step(rows, target_rows, ramp, *drawn)``.

    The loss is the source's cross-entropy plus ``weight`` times that of the transfer method,
    which has the ramp in it. Parameters are those of `Step`, and the three below.

    Parameters
    ----------
    target
        The target's windows.
    method
        A transfer method of the kind ``joint``.
    weight
        Weight of the method's loss.
    """

    columns = ("train_loss", "train_accuracy", "transfer_loss")

    def __init__(
        self, *step: Any, target: WindowBatches, method: nn.Module, weight: float, **options: Any
    ) -> None:
        super().__init__(*step, **options)
        self._target = target
        self._method = method
        self._weight = weight
        self._tapped = FeatureNetwork(self._network)

    def __call__(self, rows: Tensor, *drawn: Tensor) -> Tensor:
        """Train on source `rows`; `drawn` begins with the target's rows and the ramp.

        Returns
        -------
        Tensor
            The source's sum of losses, its number of correct windows, and the method's loss times
            the number of source windows.
        """
        target_rows, ramp_now, *changes = drawn
        rows, target_rows = rows.long(), target_rows.long()
        labels = self._batches.labels(rows)
        with autocast(self._batches.device, self._precision), self._debiased():
            both = self._tapped(*self._joint(rows, target_rows, tuple(changes)))
        source, target = both.split(len(rows))
        loss = self._loss(source.logits, labels)
        transfer = self._method(_wide(source), _wide(target), ramp_now)
        self._descend(loss + self._weight * transfer.to(loss.dtype))
        right = (source.logits.detach().argmax(1) == labels).sum()
        sums = (loss.detach() * len(rows), right, transfer.detach() * len(rows))
        return torch.stack([value.double() for value in sums])

    def _joint(
        self, rows: Tensor, target_rows: Tensor, drawn: tuple[Tensor, ...]
    ) -> tuple[Tensor, ...]:
        """Return the network's arguments for both batches, the source's windows first."""
        source = self._arguments(rows, drawn)
        target = arguments_of(self._network, self._target, target_rows)
        return tuple(torch.cat(pair) for pair in zip(source, target, strict=True))


class SourceFreeStep(Step):
    """A step on target windows alone: ``step(rows, pseudo_labels)``.

    Parameters are those of `Step`, whose windows are the target's, and the method.
    """

    columns = ("transfer_loss",)

    def __init__(self, *step: Any, method: nn.Module, weight: float, **options: Any) -> None:
        super().__init__(*step, **options)
        self._method = method
        self._weight = weight
        self._tapped = FeatureNetwork(self._network)

    def __call__(self, rows: Tensor, *drawn: Tensor) -> Tensor:
        """Train on target `rows` and their pseudo-labels; return the sum of losses."""
        (pseudo,) = drawn
        rows = rows.long()
        with autocast(self._batches.device, self._precision), self._debiased():
            target = self._tapped(*arguments_of(self._network, self._batches, rows))
        loss = self._method(_wide(target), pseudo)
        self._descend((self._weight * loss).float())
        summed: Tensor = (loss.detach() * len(rows)).double()
        return summed[None]


def _wide(domain: Domain) -> Domain:
    """Return features and logits in float32 or wider, also under autocast."""
    return Domain(
        *(t if t.dtype == torch.float64 else t.float() for t in (domain.features, domain.logits))
    )


class Adaptation:
    """The transfer method of a training, with the target's windows and the method's state.

    Parameters
    ----------
    network
        Trained on the source; on its device.
    target
        The target's windows, without labels.
    settings
        The settings of the config's ``transfer`` section.
    classes
        Number of classes.
    steps
        Steps of the whole adaptation.
    valid
        Labelled source windows, which reverse validation compares with; else not used.

    Raises
    ------
    FaultdiagError
        If the network has no features before a classifier, the target has too few windows, or
        the criterion needs source data that are not at hand.
    """

    def __init__(
        self,
        network: nn.Module,
        target: WindowBatches,
        settings: AdaptationSettings,
        *,
        classes: int,
        steps: int,
        valid: WindowBatches | None = None,
    ) -> None:
        self.target = target
        self.settings = settings
        self._steps = steps
        self._valid = valid
        self._tapped = FeatureNetwork(network)
        width = self._features(target, np.zeros(1, np.int64)).features.shape[1]
        method = build(settings.method, width, classes, **settings.options)
        self.method = method.to(target.device)
        self.source_free = str(method.kind) == "source_free"
        require_windows(settings.method, len(target), "the target has")
        if settings.selection == "reverse_validation" and valid is None:
            raise FaultdiagError(
                "transfer.selection reverse_validation tests on source windows, which are not at "
                "hand; use last, agreement, mcc or infomax"
            )
        self._ramp = torch.zeros((), dtype=torch.float64, device=target.device)
        self._pseudo = torch.zeros(0, dtype=torch.int64)
        if self.source_free:
            for parameter in classifier_of(network).parameters():
                parameter.requires_grad_(False)

    def begin(self) -> None:
        """Make the network ready, once, before its first step.

        Debiased running statistics count from here on, because earlier batches had no target. A
        source-free method starts from statistics of the target, which its first pseudo-labels
        need.
        """
        network = self._tapped.network
        norms = norms_of(network)
        if self.source_free and norms:
            replace_statistics(network, target_batches(network, self.target, self.settings.seed))
        for norm in norms:
            norm.get_buffer("num_batches_tracked").zero_()

    @property
    def learning_rate(self) -> float:
        """Factor on the learning rate."""
        return float(getattr(self.method, "learning_rate", 1.0))

    def arguments(self, first: int, count: int, step: int) -> tuple[Tensor, ...]:
        """Return the inputs of a step besides the rows of the source.

        Parameters
        ----------
        first
            Number of windows that the steps before this one have taken of their domain.
        count
            Number of windows of this step.
        step
            Number of steps before this one.
        """
        self._ramp.fill_(ramp(step / self._steps))
        rows = self._stream(first, count).to(self.target.device)
        return rows, self._ramp

    def _stream(self, first: int, count: int) -> Tensor:
        """Return a stretch of the endless order of target windows, pass after pass shuffled.

        It depends on seed and place alone, so that a resumed training needs no state for it.
        """
        windows = len(self.target)
        passes = range(first // windows, (first + count - 1) // windows + 1)
        order = np.concatenate([self._shuffled(number) for number in passes])
        start = first - passes[0] * windows
        return torch.from_numpy(order[start : start + count])

    def _shuffled(self, number: int) -> NDArray[np.int64]:
        return target_order(len(self.target), self.settings.seed, number)

    def pseudo_labels(self, rows: Tensor, step: int) -> Tensor:
        """Return the pseudo-labels of target windows; they are renewed now and then."""
        every = -(-self._steps // RENEWALS)
        if step % every == 0 or not len(self._pseudo):
            everything = self._features(self.target, np.arange(len(self.target)))
            self._pseudo = pseudo_labels(everything.features, everything.logits)
        chosen: Tensor = self._pseudo.to(rows.device)[rows.long()]
        return chosen

    @torch.no_grad()
    def _features(self, windows: WindowBatches, rows: np.ndarray[Any, Any]) -> Domain:
        """Return features and logits of windows, the network in evaluation mode."""
        network = self._tapped.network
        was_training = network.training
        network.eval()
        parts = []
        for first in range(0, len(rows), BATCH):
            chosen = torch.from_numpy(rows[first : first + BATCH]).to(windows.device)
            parts.append(_wide(self._tapped(*arguments_of(network, windows, chosen))))
        network.train(was_training)
        return Domain(
            torch.cat([part.features for part in parts]), torch.cat([part.logits for part in parts])
        )

    def criteria(self) -> dict[str, float]:
        """Measure the network on target windows, without labels: the columns of an epoch."""
        rows = evenly(len(self.target), MOST_JUDGED)
        domain = self._features(self.target, rows)
        logits = domain.logits.double().cpu().numpy()
        unlabelled = describe_unlabelled(logits, self.target.recordings[rows])
        columns = {
            "target_agreement": unlabelled.agreement,
            "target_confusion": unlabelled.confusion,
            "target_information": unlabelled.information,
        }
        if self.settings.selection == "reverse_validation" and self._valid is not None:
            columns["reverse_accuracy"] = self._reverse(domain, logits, self._valid)
        return columns

    def _reverse(self, seen: Domain, logits: np.ndarray[Any, Any], valid: WindowBatches) -> float:
        rows = evenly(len(valid), MOST_JUDGED)
        labels = valid.labels(torch.from_numpy(rows).to(valid.device)).cpu().numpy()
        source = self._features(valid, rows).features.double().cpu().numpy()
        target = seen.features.double().cpu().numpy()
        return reverse_accuracy(target, logits.argmax(axis=1), source, labels)

    def state(self) -> Json:
        """Return the state for resuming, as plain types and tensors."""
        method = {name: tensor.cpu() for name, tensor in self.method.state_dict().items()}
        return {"method": method, "pseudo_labels": self._pseudo.cpu()}

    def restore(self, state: Document) -> None:
        """Restore the state that `state` returned."""
        self.method.load_state_dict(dict(state["method"]))
        self._pseudo = state["pseudo_labels"].to(self.target.device)


def target_windows(prepared: Prepared, device: torch.device) -> WindowBatches:
    """Return the windows that a network adapts to, without their labels."""
    windows = prepared.windows.of(TARGET_ADAPT).without_labels()
    return WindowBatches(prepared, windows, device)


def target_order(windows: int, seed: int, number: int) -> NDArray[np.int64]:
    """Return the order of target windows in a pass; passes are numbered from 0."""
    return np.random.default_rng([seed, number, _STREAM]).permutation(windows)


def target_batches(
    network: nn.Module, target: WindowBatches, seed: int
) -> Iterator[tuple[Tensor, ...]]:
    """Yield the network's arguments for all target windows, in batches of mixed recordings."""
    order = torch.from_numpy(target_order(len(target), seed, 0))
    first = 0
    for size in batch_sizes(len(target), MIXED_BATCH):
        yield arguments_of(network, target, order[first : first + size].to(target.device))
        first += size


def require_windows(method: str, windows: int, what: str) -> None:
    """Refuse fewer windows than a method's estimate needs.

    Raises
    ------
    FaultdiagError
        Naming the method, and how many it needs.
    """
    needed = minimum_batch(method)
    if windows < needed:
        raise FaultdiagError(
            f"transfer.method {method} needs {needed} windows of each domain for its estimate, but "
            f"{what} {windows}; use more, or longer recordings or a smaller window.stride"
        )
