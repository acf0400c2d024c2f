"""The training loop: the arithmetic of a step, the order of windows, the best epoch, resuming."""

import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from faultdiag import models
from faultdiag.errors import FaultdiagError
from faultdiag.inference import WindowBatches
from faultdiag.models import kernel_parameters
from faultdiag.preparing.folder import Prepared
from faultdiag.preparing.prepare import prepare
from faultdiag.training.loop import Progress, Trainer, last_gain
from faultdiag.training.step import batch_sizes, build_optimizer, shuffled, without_compiler
from tests.data_fixtures import tiny_config
from tests.training.runs import settings

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def prepared(recordings: Path, prepared_root: Path) -> Prepared:
    return prepare(tiny_config(recordings, prepared_root, window__length=512))


class Double(WindowBatches):
    """Windows in double precision."""

    def windows(self, rows: Tensor) -> Tensor:
        return super().windows(rows).double()


def trainer_of(
    prepared: Prepared,
    network: nn.Module,
    *,
    windows: int = 80,
    kind: type[WindowBatches] = WindowBatches,
    **changes: Any,
) -> Trainer:
    train, valid = (
        kind(prepared, prepared.windows.of(part).take(slice(0, None, 2)), CPU)
        for part in ("train", "valid")
    )
    rows = np.linspace(0, len(train) - 1, windows).astype(int)
    some = prepared.windows.of("train").take(2 * rows)
    return Trainer(network, kind(prepared, some, CPU), valid, settings(**changes))


def dropout_network() -> nn.Module:
    torch.manual_seed(5)
    return models.build("cnn1d", 1, 3, length=512, widths=[4, 8], dropout=0.5)


def adam_by_hand(
    network: nn.Module, batches: WindowBatches, order: Tensor, *, size: int, rate: float, l2: float
) -> None:
    """Adam by Kingma and Ba's algorithm 1, with ``l2 * sum(w ** 2)`` in the loss, as in Keras."""
    parameters = list(network.parameters())
    first, second = ([torch.zeros_like(p) for p in parameters] for _ in range(2))
    network.train()
    for step, rows in enumerate(order.long().split(size), start=1):
        loss = functional.cross_entropy(network(batches.windows(rows)), batches.labels(rows))
        loss = loss + l2 * sum((w**2).sum() for w in kernel_parameters(network))
        gradients = torch.autograd.grad(loss, parameters, materialize_grads=True)
        with torch.no_grad():
            for p, m, v, g in zip(parameters, first, second, gradients, strict=True):
                m.mul_(0.9).add_(0.1 * g)
                v.mul_(0.999).add_(0.001 * g * g)
                p.sub_(rate * (m / (1 - 0.9**step)) / ((v / (1 - 0.999**step)).sqrt() + 1e-8))


def test_five_steps_are_those_of_a_loop_written_by_hand(prepared: Prepared) -> None:
    torch.manual_seed(0)
    slot = {"name": "eca", "after": [2], "residual": True}
    ours = models.build("wdcnn", 1, 3, length=512, attention=slot).double()
    plain = deepcopy(ours)
    before = deepcopy(ours.state_dict())
    assert len(kernel_parameters(plain)) == 7
    trainer = trainer_of(prepared, ours, kind=Double, running_statistics="published")
    trainer.learn()
    adam_by_hand(plain, trainer.train, shuffled(80, 11, 1), size=16, rate=1e-3, l2=1e-4)
    for name, value in plain.state_dict().items():
        found = ours.state_dict()[name]
        torch.testing.assert_close(found, value, rtol=0, atol=1e-10)
        # A bias that the norm takes away again is not learnt.
        assert torch.equal(found, before[name]) == name.endswith("conv.bias"), name


def test_without_the_penalty_the_weights_are_others(prepared: Prepared) -> None:
    weights = []
    for l2 in (0.0, 1e-2):
        torch.manual_seed(0)
        network = models.build("wdcnn", 1, 3, length=512)
        trainer_of(prepared, network, l2=l2).learn()
        weights.append(network.state_dict())
    kernel = "blocks.0.conv.weight"
    assert (weights[0][kernel] - weights[1][kernel]).abs().max() > 1e-5


@pytest.mark.parametrize(
    ("name", "kind", "decay"),
    [
        ("adam", torch.optim.Adam, 2e-3),
        ("sgd", torch.optim.SGD, 2e-3),
        ("adamw", torch.optim.AdamW, 1e-3),
    ],
)
def test_the_penalty_is_on_kernels_alone(
    name: str, kind: type[torch.optim.Optimizer], decay: float
) -> None:
    network = models.build("wdcnn", 1, 3, length=512, attention={"name": "se", "after": [2]})
    optimizer = build_optimizer(network, name=name, l2=1e-3, learning_rate=0.5)
    assert isinstance(optimizer, kind)
    penalised, free = optimizer.param_groups
    assert {id(p) for p in penalised["params"]} == {id(p) for p in kernel_parameters(network)}
    assert len(penalised["params"]) + len(free["params"]) == len(list(network.parameters()))
    assert (penalised["weight_decay"], free["weight_decay"]) == (decay, 0.0)
    assert {group["lr"] for group in optimizer.param_groups} == {0.5}
    if name == "sgd":
        assert penalised["momentum"] == 0.9


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (torch.optim.Adam, {"weight_decay": 1e-2}),
        (torch.optim.AdamW, {"weight_decay": 1e-2}),
        (torch.optim.SGD, {"momentum": 0.9, "weight_decay": 1e-2}),
    ],
)
def test_an_optimizer_without_compiler_makes_the_steps_of_torch(
    kind: Any, options: dict[str, float]
) -> None:
    torch.manual_seed(5)
    network, windows = nn.Linear(4, 2), torch.randn(8, 4)
    peer = deepcopy(network)
    pairs = [
        (network, without_compiler(kind)(network.parameters(), lr=0.1, fused=True, **options)),
        (peer, kind(peer.parameters(), lr=0.1, fused=True, **options)),
    ]
    for _ in range(4):
        for module, optimizer in pairs:
            optimizer.zero_grad()
            module(windows).square().mean().backward()
            optimizer.step()
            optimizer.load_state_dict(optimizer.state_dict())
    assert torch.equal(network.weight, peer.weight)
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_a_step_imports_no_compiler() -> None:
    code = (
        "import sys, torch; from faultdiag.training.step import build_optimizer;"
        "net = torch.nn.Linear(2, 2);"
        "one = build_optimizer(net, name='adam', learning_rate=0.1, l2=0.0);"
        "net(torch.ones(1, 2)).sum().backward(); one.step(); one.zero_grad();"
        "one.load_state_dict(one.state_dict()); print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@given(count=st.integers(1, 300), seed=st.integers(0, 2**32 - 1), epoch=st.integers(1, 50))
def test_an_order_has_every_window_once_and_follows_from_seed_and_epoch(
    count: int, seed: int, epoch: int
) -> None:
    order = shuffled(count, seed, epoch)
    assert sorted(order.tolist()) == list(range(count))
    assert torch.equal(order, shuffled(count, seed, epoch))


def test_orders_differ_by_epoch_and_seed() -> None:
    orders = [shuffled(1000, seed, epoch) for seed, epoch in ((0, 1), (0, 2), (1, 1))]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert (orders[one] == orders[other]).double().mean() < 0.02
    assert orders[0].dtype == torch.int32


@given(count=st.integers(1, 500), size=st.integers(1, 60))
def test_batches_hold_all_windows_and_none_is_alone(count: int, size: int) -> None:
    sizes = batch_sizes(count, size)
    assert sum(sizes) == count
    assert all(one == size for one in sizes[:-1])
    assert sizes[-1] <= size + 1
    if count > 1 < size:
        assert 1 not in sizes


def test_a_window_left_over_does_not_stop_a_norm_of_one_value(prepared: Prepared) -> None:
    torch.manual_seed(0)
    network = models.build("wdcnn", 1, 3, length=512, attention={"name": "sk", "after": [2]})
    loss, accuracy = trainer_of(prepared, network, windows=33).learn()
    assert np.isfinite(loss)
    assert 0 <= accuracy <= 1


def row(epoch: int, accuracy: float, loss: float) -> dict[str, Any]:
    return {"epoch": epoch, "valid_accuracy": accuracy, "valid_loss": loss}


def test_the_best_epoch_is_that_of_accuracy_then_loss_then_the_first() -> None:
    progress = Progress()
    values = [(0.5, 1.0), (0.5, 1.2), (0.5, 0.9), (0.7, 3.0), (0.6, 0.1), (0.7, 3.0)]
    better = [progress.note(row(i, *value)) for i, value in enumerate(values, start=1)]
    assert better == [True, False, True, True, False, False]
    assert progress.best_epoch == 4
    assert progress.epoch == 6


def test_a_training_notes_every_epoch(prepared: Prepared) -> None:
    calls: list[tuple[int, bool]] = []
    trainer = trainer_of(prepared, dropout_network())
    progress = trainer.fit(lambda t, best: calls.append((t.progress.epoch, best)))
    assert [epoch for epoch, _ in calls] == [1, 2, 3]
    assert [best for _, best in calls][progress.best_epoch - 1]
    for number, line in enumerate(progress.history, start=1):
        assert list(line) == [
            *("epoch", "train_loss", "train_accuracy", "valid_loss", "valid_accuracy"),
            *("learning_rate", "seconds"),
        ]
        assert line["epoch"] == number
        assert line["learning_rate"] == 1e-3
        assert line["seconds"] > 0


def test_validation_is_the_mean_over_all_windows_and_changes_nothing(prepared: Prepared) -> None:
    network = dropout_network()
    trainer = trainer_of(prepared, network, epochs=1)
    kept: list[dict[str, Any]] = []
    trainer.fit(lambda t, _: kept.append(deepcopy(t.network.state_dict())))
    random = torch.get_rng_state()
    again = trainer_of(prepared, network, epochs=1)
    again.restore(kept[0], trainer.state() | {"history": []})
    assert again.validate() == again.validate()
    assert torch.equal(torch.get_rng_state(), random)
    for name, value in network.state_dict().items():
        assert torch.equal(value, kept[0][name]), name
    network.eval()
    rows = torch.arange(len(trainer.valid))
    with torch.inference_mode():
        logits = network(trainer.valid.windows(rows)).double()
    labels = trainer.valid.labels(rows)
    line = trainer.progress.history[0]
    loss = functional.cross_entropy(logits, labels).item()
    assert line["valid_loss"] == pytest.approx(loss, rel=1e-5)
    assert line["valid_accuracy"] == (logits.argmax(1) == labels).double().mean().item()


def test_a_training_learns(prepared: Prepared) -> None:
    for precision in ("float32", "bfloat16"):
        torch.manual_seed(0)
        network = models.build("cnn1d", 1, 3, length=512, widths=[4, 8])
        trainer = trainer_of(
            prepared, network, epochs=6, batch_size=8, learning_rate=1e-2, precision=precision
        )
        history = trainer.fit(lambda *_: None).history
        assert history[-1]["train_loss"] < 0.5 * history[0]["train_loss"]
        assert history[-1]["train_accuracy"] > 0.9
        assert {p.dtype for p in network.parameters()} == {torch.float32}


class Interrupted:
    """Keeps the state after each epoch and stops a training as Ctrl-C does."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.weights: dict[str, Tensor] = {}
        self.state: dict[str, Any] = {}

    def __call__(self, trainer: Trainer, is_best: bool) -> None:
        if trainer.progress.epoch <= self.after:
            self.weights = deepcopy(trainer.network.state_dict())
            self.state = deepcopy(trainer.state())
        else:
            raise KeyboardInterrupt


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_resuming_gives_the_weights_of_an_uninterrupted_training(
    optimizer: str, prepared: Prepared
) -> None:
    def fresh() -> Trainer:
        return trainer_of(prepared, dropout_network(), epochs=4, optimizer=optimizer)

    whole = fresh()
    whole.fit(lambda *_: None)
    stopped, keep = fresh(), Interrupted(after=2)
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(keep)
    resumed = fresh()
    torch.manual_seed(12345)
    resumed.restore(keep.weights, keep.state)
    assert resumed.progress.epoch == 2
    resumed.fit(lambda *_: None)
    for name, value in whole.network.state_dict().items():
        assert torch.equal(resumed.network.state_dict()[name], value), name
    drop = {"seconds"}
    histories = [
        [{k: v for k, v in line.items() if k not in drop} for line in t.progress.history]
        for t in (whole, resumed)
    ]
    assert histories[0] == histories[1]
    assert resumed.progress.best_epoch == whole.progress.best_epoch


def test_the_seed_decides(prepared: Prepared) -> None:
    def weights(seed: int) -> dict[str, Tensor]:
        trainer = trainer_of(prepared, dropout_network(), epochs=1, seed=seed)
        trainer.fit(lambda *_: None)
        return trainer.network.state_dict()

    first, again, other = weights(1), weights(1), weights(2)
    assert all(torch.equal(first[name], value) for name, value in again.items())
    assert not all(torch.equal(first[name], value) for name, value in other.items())


def spoil(network: nn.Module, when: Callable[[], bool]) -> nn.Module:
    network.register_forward_hook(lambda _, __, y: y * float("nan") if when() else y)
    return network


@pytest.mark.parametrize(("kind", "training"), [("training", True), ("validation", False)])
def test_a_loss_that_is_no_number(kind: str, training: bool, prepared: Prepared) -> None:
    network = dropout_network()
    spoil(network, lambda: network.training is training)
    trainer = trainer_of(prepared, network, learning_rate=0.25)
    place = "epoch 1, step 1" if training else "epoch 1"
    with pytest.raises(
        FaultdiagError,
        match=rf"^the {kind} loss is nan in {place}; lower train\.learning_rate \(it is 0\.25\), "
        r"set train\.clip_gradient: 1, or set train\.warmup_epochs$",
    ):
        trainer.fit(lambda *_: None)
    assert trainer.progress.epoch == 0


def test_a_line_an_epoch_where_stderr_is_no_terminal(
    prepared: Prepared, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = trainer_of(prepared, dropout_network(), epochs=1)
    trainer.fit(lambda *_: None)
    (row,) = trainer.progress.history
    assert capsys.readouterr() == (
        "",
        f"epoch 1 of 1: training loss {row['train_loss']:.4g}, validation accuracy "
        f"{row['valid_accuracy']:.4f}, {row['seconds']:.1f} s\n",
    )


@pytest.mark.cuda
def test_a_cuda_device_learns_the_same(prepared: Prepared) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    cuda = torch.device("cuda")
    weights = []
    for device in (CPU, cuda):
        torch.manual_seed(0)
        network = models.build("wdcnn", 1, 3, length=512).to(device)
        train, valid = (
            WindowBatches(prepared, prepared.windows.of(part), device)
            for part in ("train", "valid")
        )
        Trainer(network, train, valid, settings(epochs=1, learning_rate=1e-4)).fit(lambda *_: None)
        weights.append({name: value.cpu() for name, value in network.state_dict().items()})
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, rtol=1e-2, atol=5e-3)


@pytest.mark.parametrize(
    ("accuracies", "windows", "epoch"),
    [
        ([0.5], 100, 1),
        ([0.90, 0.92], 100, 1),  # one standard error of 90 % of 100 windows is 3 points
        ([0.90, 0.92, 0.94], 100, 3),
        ([0.90, 0.92], 1000, 2),
        ([1.0, 1.0], 10, 1),
        ([0.0, 0.1], 10, 2),
    ],
)
def test_an_epoch_counts_if_it_is_better_than_chance(
    accuracies: list[float], windows: int, epoch: int
) -> None:
    rows = [{"epoch": n, "valid_accuracy": a} for n, a in enumerate(accuracies, start=1)]
    assert last_gain(rows, windows) == epoch
