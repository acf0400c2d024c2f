"""Training on a CUDA device: the same with graphs and without, and no waiting between steps."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from faultdiag import models
from faultdiag.inference import WindowBatches
from faultdiag.preparing.folder import Prepared
from faultdiag.preparing.prepare import prepare
from faultdiag.training.augment import Ranges
from faultdiag.training.gpu import CudaRecorder, set_precision
from faultdiag.training.loop import Trainer
from tests.data_fixtures import tiny_config
from tests.training.runs import settings

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
CUDA = torch.device("cuda")
EVERYTHING = Ranges(shift=20, speed=0.05, snr=(0.0, 10.0), gain=(0.5, 2.0), sign=True, mask=0.3)


@pytest.fixture(scope="module")
def prepared(recordings: Path, prepared_root: Path) -> Prepared:
    return prepare(tiny_config(recordings, prepared_root, window__length=512))


@pytest.fixture(autouse=True)
def repeatable() -> Iterator[None]:
    set_precision(CUDA, "float32", deterministic=True)
    yield
    set_precision(CUDA, "float32", deterministic=False)


def trainer_of(prepared: Prepared, name: str = "wdcnn", **changes: Any) -> Trainer:
    values = {"epochs": 5, **changes}  # the fourth validation is the first that is recorded
    torch.manual_seed(0)
    network = models.build(name, 1, 3, length=512, dropout=0.3).to(CUDA)
    parts = (WindowBatches(prepared, prepared.windows.of(p), CUDA) for p in ("train", "valid"))
    segments = prepared.segments("train")
    return Trainer(network, *parts, settings(**values), segments=segments)


def weights(trainer: Trainer) -> dict[str, Tensor]:
    return {name: value.cpu() for name, value in trainer.network.state_dict().items()}


def assert_same(one: Trainer, other: Trainer) -> None:
    losses = [[row["valid_loss"] for row in t.progress.history] for t in (one, other)]
    assert losses[0] == losses[1]
    expected = weights(one)
    for name, value in weights(other).items():
        assert torch.equal(value, expected[name]), name


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": "sgd", "clip_gradient": 0.1},
        {"optimizer": "adamw", "balance": "weights", "label_smoothing": 0.1},
        {"augment": EVERYTHING},
        {"precision": "bfloat16"},
    ],
    ids=lambda changes: "-".join(changes) or "plain",
)
def test_graphs_change_no_bit(changes: dict[str, Any], prepared: Prepared) -> None:
    trainers = [trainer_of(prepared, graphs=graphs, **changes) for graphs in ("on", "on", "off")]
    for trainer in trainers:
        torch.manual_seed(1)
        trainer.fit(lambda *_: None)
    assert_same(trainers[0], trainers[1])
    assert_same(trainers[0], trainers[2])


@pytest.mark.parametrize("name", ["cnn1d", "resnet1d", "densenet1d", "transformer1d"])
def test_every_network_is_recorded_and_repeats_bit_for_bit(name: str, prepared: Prepared) -> None:
    trainers = [trainer_of(prepared, name, graphs=graphs) for graphs in ("on", "off")]
    for trainer in trainers:
        torch.manual_seed(1)
        trainer.fit(lambda *_: None)
    assert_same(*trainers)


@pytest.mark.parametrize("augment", [Ranges(), EVERYTHING])
@pytest.mark.parametrize("graphs", ["on", "off"])
def test_no_step_waits_for_the_device(graphs: str, augment: Ranges, prepared: Prepared) -> None:
    trainer = trainer_of(prepared, graphs=graphs, augment=augment)
    steps = len(trainer._sizes)
    modes = {5: "error", steps - 1: "default"}

    def watch(current: Trainer) -> None:
        if current._done in modes:
            torch.cuda.set_sync_debug_mode(modes[current._done])

    trainer._on_step = watch
    try:
        trainer.learn()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert 7 < steps < 50


def test_going_on_within_an_epoch(prepared: Prepared) -> None:
    kept: list[Any] = []

    def keep(trainer: Trainer) -> None:
        if (trainer.progress.epoch, trainer._done) == (1, 6):
            kept.append(copy.deepcopy((weights(trainer), trainer.state())))

    whole = trainer_of(prepared, augment=EVERYTHING)
    whole._on_step = keep
    torch.manual_seed(1)
    whole.fit(lambda *_: None)
    resumed = trainer_of(prepared, augment=EVERYTHING)
    torch.manual_seed(99)
    resumed.restore(*kept[0])
    resumed.fit(lambda *_: None)
    assert_same(whole, resumed)


def test_a_recording_that_breaks_off_leaves_the_device_usable() -> None:
    recorder = CudaRecorder(CUDA)

    def looked_at() -> Tensor:
        return torch.rand(3, device=CUDA) * torch.rand(1, device=CUDA).item()

    _, obstacle = recorder.rehearse(looked_at)
    assert obstacle is not None
    with pytest.raises(RuntimeError):
        recorder.record(looked_at)
    assert torch.rand(5, device=CUDA).sum().item() > 0
    repeat, result = recorder.record(lambda: torch.rand(3, device=CUDA))
    repeat()
    first = result.clone()
    repeat()
    assert not torch.equal(result, first)


def test_parts_share_the_signals(prepared: Prepared) -> None:
    one, other = (WindowBatches(prepared, prepared.windows.of(p), CUDA) for p in ("train", "valid"))
    assert one._on_device is other._on_device
