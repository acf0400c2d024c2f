"""Recorded steps: they do what plain steps do, and everything that changes reaches them."""

import gc
import weakref
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from faultdiag import attention, models
from faultdiag.api.train import train
from faultdiag.attention import BLOCKS
from faultdiag.config.schedules import OneCycle
from faultdiag.errors import FaultdiagError
from faultdiag.inference import BATCH, WindowBatches
from faultdiag.models import NETWORKS
from faultdiag.preparing.folder import Prepared
from faultdiag.preparing.prepare import prepare
from faultdiag.representations import REPRESENTATIONS
from faultdiag.training import step
from faultdiag.training.augment import Ranges
from faultdiag.training.gpu import REHEARSALS, RecordedFunction, require_graphs
from faultdiag.training.loop import Settings, Trainer
from faultdiag.training.step import LearningRate, build_optimizer, recordable
from tests.data_fixtures import tiny_config
from tests.training.recording import TapeRecorder
from tests.training.runs import Make, refused

CPU = torch.device("cpu")
EVERYTHING = Ranges(shift=20, speed=0.05, snr=(0.0, 10.0), gain=(0.5, 2.0), sign=True, mask=0.3)


@pytest.fixture(scope="module")
def prepared(recordings: Path, prepared_root: Path) -> Prepared:
    return prepare(tiny_config(recordings, prepared_root, window__length=512))


def network_of(**options: Any) -> nn.Module:
    torch.manual_seed(5)
    return models.build("cnn1d", 1, 3, **{"length": 512, "widths": [4, 8], **options})


def trainer_of(
    prepared: Prepared,
    recorder: TapeRecorder | None,
    network: nn.Module | None = None,
    *,
    windows: int = 58,
    **changes: Any,
) -> Trainer:
    values: dict[str, Any] = {
        "epochs": 3,
        "batch_size": 8,
        "optimizer": "adam",
        "learning_rate": 1e-2,
        "l2": 1e-4,
        "precision": "float32",
        "seed": 11,
    }
    every = prepared.windows.of("train")
    rows = np.linspace(0, len(every) - 1, windows).astype(int)
    some = (every.take(rows), prepared.windows.of("valid").take(slice(0, None, 4)))
    parts = (WindowBatches(prepared, part, CPU, resident=True) for part in some)
    return Trainer(
        network or network_of(),
        *parts,
        Settings(**values | changes),
        segments=prepared.segments("train"),
        recorder=recorder,
    )


def plain_of(prepared: Prepared, network: nn.Module | None = None, **changes: Any) -> Trainer:
    """The same with no step recorded, the learning rate in a tensor as well."""
    return trainer_of(prepared, TapeRecorder("it is plain"), network, **changes)


def assert_same(one: Trainer, other: Trainer) -> None:
    for name, value in one.network.state_dict().items():
        assert torch.equal(other.network.state_dict()[name], value), name
    histories = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in t.progress.history]
        for t in (one, other)
    ]
    assert histories[0] == histories[1]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": "sgd"},
        {"optimizer": "adamw", "clip_gradient": 0.05},
        {"schedule": OneCycle(), "warmup_epochs": 0.5},
        {"balance": "weights", "label_smoothing": 0.1},
        {"balance": "sampling", "precision": "bfloat16"},
        {"augment": EVERYTHING},
    ],
    ids=lambda changes: "-".join(changes) or "plain",
)
def test_recorded_steps_are_the_plain_ones(changes: dict[str, Any], prepared: Prepared) -> None:
    recorder = TapeRecorder()
    recorded = trainer_of(prepared, recorder, network_of(dropout=0.3), **changes)
    torch.manual_seed(1)
    recorded.fit(lambda *_: None)
    plain = plain_of(prepared, network_of(dropout=0.3), **changes)
    torch.manual_seed(1)
    plain.fit(lambda *_: None)
    assert_same(plain, recorded)
    # 3 epochs of 7 steps of 8 windows and one of 2; each epoch validates once, in one batch.
    assert len(recorded.train) == 7 * 8 + 2
    assert (recorder.rehearsals, recorder.recordings) == (REHEARSALS + 3, 1)
    assert recorder.repetitions == 21 - REHEARSALS


def test_evaluation_is_recorded_with_the_weights_of_the_moment(prepared: Prepared) -> None:
    recorder = TapeRecorder()
    trainer = trainer_of(prepared, recorder, epochs=6)
    trainer.fit(lambda *_: None)
    assert recorder.recordings == 2
    assert recorder.repetitions == 6 * 7 - REHEARSALS + 6 - REHEARSALS
    plain = plain_of(prepared, epochs=6)
    plain.fit(lambda *_: None)
    assert_same(plain, trainer)


def test_a_constant_learning_rate_is_written_once_and_a_new_one_each_time(
    prepared: Prepared,
) -> None:
    """A number would stay in a recorded step as it was."""
    optimizer = build_optimizer(network_of(), name="adam", learning_rate=0.5, l2=0.0)
    rate = LearningRate(optimizer, CPU)
    place = optimizer.param_groups[0]["lr"]
    assert isinstance(place, Tensor)
    assert place is optimizer.param_groups[1]["lr"]
    version = place._version
    rate.set(0.5)
    assert place._version == version
    rate.set(0.25)
    assert place.item() == rate.value == 0.25
    plain = LearningRate(build_optimizer(network_of(), name="sgd", learning_rate=0.5, l2=0.0), None)
    plain.set(0.25)
    assert plain.state()["param_groups"][0]["lr"] == 0.25
    assert trainer_of(prepared, None).optimizer.param_groups[0]["lr"] == 1e-2


def test_an_optimizer_is_recordable_while_it_is_recorded_alone() -> None:
    optimizer = build_optimizer(network_of(), name="adam", learning_rate=0.5, l2=0.0)
    with recordable(optimizer):
        assert all(group["capturable"] for group in optimizer.param_groups)
    assert not any(group["capturable"] for group in optimizer.param_groups)
    sgd = build_optimizer(network_of(), name="sgd", learning_rate=0.5, l2=0.0)
    with recordable(sgd):
        assert not any("capturable" in group for group in sgd.param_groups)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("step", [5, 8])
def test_going_on_within_an_epoch(step: int, optimizer: str, prepared: Prepared) -> None:
    """Saved from recorded steps, restored into recorded and into plain ones."""
    changes: dict[str, Any] = {"optimizer": optimizer, "augment": EVERYTHING, "epochs": 2}

    kept: list[Any] = []

    def stop(trainer: Trainer) -> None:
        if trainer.progress.epoch == 1 and trainer._done == step:
            kept.extend((deepcopy(trainer.network.state_dict()), deepcopy(trainer.state())))
            raise KeyboardInterrupt

    whole = trainer_of(prepared, TapeRecorder(), network_of(dropout=0.3), **changes)
    torch.manual_seed(1)
    whole.fit(lambda *_: None)
    broken = trainer_of(prepared, TapeRecorder(), network_of(dropout=0.3), **changes)
    broken._on_step = stop
    torch.manual_seed(1)
    with pytest.raises(KeyboardInterrupt):
        broken.fit(lambda *_: None)
    groups = kept[1]["optimizer"]["param_groups"]
    assert [group["lr"] for group in groups] == [1e-2, 1e-2]
    assert not any(group.get("capturable") for group in groups)
    broken._on_step = None
    for trainer in (
        trainer_of(prepared, TapeRecorder(), network_of(dropout=0.3), **changes),
        plain_of(prepared, network_of(dropout=0.3), **changes),
        broken,  # its recorded steps know where the optimizer's state was
    ):
        trainer.restore(*deepcopy(kept))
        trainer.fit(lambda *_: None)
        assert_same(whole, trainer)


def test_a_state_goes_from_recorded_steps_to_plain_numbers(prepared: Prepared) -> None:
    trainer = trainer_of(prepared, TapeRecorder(), epochs=1)
    trainer.fit(lambda *_: None)
    other = trainer_of(prepared, None, epochs=2)
    other.restore(deepcopy(trainer.network.state_dict()), deepcopy(trainer.state()))
    other.fit(lambda *_: None)
    assert other.optimizer.param_groups[0]["lr"] == 1e-2
    back = trainer_of(prepared, TapeRecorder(), epochs=3)
    back.restore(deepcopy(other.network.state_dict()), deepcopy(other.state()))
    assert isinstance(back.optimizer.param_groups[0]["lr"], Tensor)
    assert back.fit(lambda *_: None).epoch == 3


def test_a_training_leaves_memory_with_its_last_name(prepared: Prepared) -> None:
    """A circle of references would keep a GPU's memory until the garbage is collected."""
    trainer = trainer_of(prepared, TapeRecorder(), epochs=1)
    trainer.fit(lambda *_: None)
    left = weakref.ref(trainer.network)
    gc.collect()
    gc.disable()
    try:
        del trainer
        assert left() is None
    finally:
        gc.enable()


def test_a_loss_that_is_no_number_is_found_in_recorded_steps(prepared: Prepared) -> None:
    trainer = trainer_of(prepared, TapeRecorder(), optimizer="sgd", learning_rate=1e30)
    with pytest.raises(FaultdiagError, match=r"^the training loss is (nan|inf) in epoch 1, step"):
        trainer.fit(lambda *_: None)


@pytest.mark.parametrize(("bad", "found"), [(2, 4), (4, 4), (5, 7), (7, 7)])
def test_losses_are_looked_at_now_and_then_and_the_first_bad_step_is_named(
    bad: int, found: int, prepared: Prepared
) -> None:
    trainer = trainer_of(prepared, None, windows=56)
    trainer._check_every = 4
    done: list[int] = []
    trainer._on_step = lambda t: done.append(t._done)
    real = trainer._run

    def spoilt(*arguments: Tensor) -> Tensor:
        return real(*arguments) * (float("nan") if trainer._done + 1 == bad else 1)

    trainer._run = spoilt  # type: ignore[assignment]
    with pytest.raises(FaultdiagError, match=rf"^the training loss is nan in epoch 1, step {bad};"):
        trainer.learn()
    assert done == list(range(1, found))


def doubled(recorder: Any, function: Callable[..., Tensor], **changes: Any) -> RecordedFunction:
    return RecordedFunction(function, recorder, rows=2, name="sum", **changes)


def test_calls_of_another_length_are_plain() -> None:
    recorder = TapeRecorder()
    total = doubled(recorder, lambda x: 2 * x.sum())
    for i in range(8):
        assert total(torch.full((2,), float(i))).item() == 4 * i
        assert total(torch.full((3,), float(i))).item() == 6 * i
    assert (recorder.rehearsals, recorder.recordings, recorder.repetitions) == (3, 1, 5)
    total.forget()
    assert total(torch.ones(2)).item() == 4
    assert recorder.rehearsals == 4


def test_what_cannot_be_recorded_is_called_and_said_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls: list[float] = []

    def looked_at(x: Tensor) -> Tensor:
        calls.append(x.sum().item())
        return x.sum()

    total = doubled(TapeRecorder(), looked_at)
    for i in range(6):
        assert total(torch.full((2,), float(i))).item() == 2 * i
    assert calls == [0, 2, 4, 6, 8, 10]
    assert capsys.readouterr().err == (
        "note: the sum runs without CUDA graphs, which is slower: aten::_local_scalar_dense is "
        "not permitted while recording\n"
    )
    required = doubled(TapeRecorder(), looked_at, required=True)
    for _ in range(REHEARSALS):
        required(torch.ones(2))
    with pytest.raises(
        FaultdiagError,
        match=r"^train\.graphs is 'on', but the sum can't be recorded as a CUDA graph: aten::_local"
        r"_scalar_dense is not permitted while recording; set train\.graphs to auto or off$",
    ):
        required(torch.ones(2))


def test_what_waits_for_the_device_is_not_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    recorder = TapeRecorder("it waits for the device (x.py, line 3)")
    total = doubled(recorder, lambda x: x.sum())
    for i in range(6):
        assert total(torch.full((2,), float(i))).item() == 2 * i
    assert (recorder.rehearsals, recorder.recordings) == (REHEARSALS, 0)
    assert capsys.readouterr().err.endswith("is slower: it waits for the device (x.py, line 3)\n")


@pytest.fixture(autouse=True)
def front_in_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep no outputs of front ends: the steps that are recorded compute them."""
    monkeypatch.setattr(step, "SHARE", 0.0)
    monkeypatch.setattr(step, "FEW", 0)


def recorded_training(prepared: Prepared, network: nn.Module) -> TapeRecorder:
    """Train a little with recorded and with plain steps, and compare."""
    recorder, sizes = TapeRecorder(), {"windows": 20, "batch_size": 4, "epochs": 1}
    recorded = trainer_of(prepared, recorder, deepcopy(network), **sizes)
    plain = plain_of(prepared, network, **sizes)
    for trainer in (recorded, plain):
        torch.manual_seed(1)
        trainer.fit(lambda *_: None)
    assert_same(plain, recorded)
    return recorder


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_every_network_can_be_recorded(
    name: str, recordings: Path, prepared_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a GPU it doesn't look at the conditions.
    module = "faultdiag.representations.fault_order_combs.check_conditions"
    monkeypatch.setattr(module, lambda name, conditions, batch: conditions)
    prepared = prepare(tiny_config(recordings, prepared_root, window__length=1024))
    torch.manual_seed(2)
    network = models.build(name, 1, 3, length=1024, sampling_rate=12000.0)
    assert recorded_training(prepared, network).repetitions == 2


@pytest.mark.parametrize("name", sorted(set(BLOCKS) - {"none"}))
def test_every_attention_block_can_be_recorded(name: str, prepared: Prepared) -> None:
    slot = {"name": name, "after": [2]}
    network = network_of(widths=[8, 16], attention=slot)
    assert attention.build(name, 16) is not None
    assert recorded_training(prepared, network).repetitions == 2


@pytest.mark.parametrize(
    "name", sorted(set(REPRESENTATIONS) - {"vmd", "fault_order_combs"})
)  # see tied_z
def test_every_representation_but_one_can_be_recorded(
    name: str, prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a GPU it doesn't look at the rates.
    module = "faultdiag.representations.order_envelope_spectrum.check_shaft_rate"
    monkeypatch.setattr(module, lambda name, rate, batch: rate)
    short = {"log_spectra": {"segments": [32, 64]}}
    network = network_of(
        representation={"name": name, **short.get(name, {})}, sampling_rate=12000.0
    )
    assert recorded_training(prepared, network).repetitions == 2


@pytest.mark.parametrize(("tolerance", "repetitions"), [(1e-7, 0), (0.0, 2)])
def test_vmd_that_looks_at_what_it_reached_cannot_be_recorded(
    tolerance: float, repetitions: int, prepared: Prepared, capsys: pytest.CaptureFixture[str]
) -> None:
    vmd = {"name": "vmd", "tolerance": tolerance, "iterations": 3, "modes": 2}
    network = network_of(representation=vmd, sampling_rate=12000.0)
    assert recorded_training(prepared, network).repetitions == repetitions
    said = capsys.readouterr().err.count("the training step runs without CUDA graphs")
    assert said == (1 if repetitions else 2)  # the plain steps say so, too


def test_validation_of_several_batches(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faultdiag.inference.BATCH", 7)
    monkeypatch.setattr("faultdiag.training.loop.BATCH", 7)
    recorder = TapeRecorder()
    trainer, plain = trainer_of(prepared, recorder), trainer_of(prepared, None)
    count = len(trainer.valid)
    assert count // 7 == REHEARSALS
    assert count % 7
    for _ in range(2):
        assert trainer.validate() == pytest.approx(plain.validate(), rel=1e-12)
    assert recorder.repetitions == count // 7


def test_graphs_asked_for_where_there_are_none(brief: Make, tmp_path: Path) -> None:
    refused(
        r"^train\.graphs is 'on', but CUDA graphs need a CUDA device and this is cpu; use --device "
        r"cuda, or set train\.graphs: auto$",
        lambda: train(brief(train__graphs="on"), run=tmp_path / "run", device="cpu"),
    )
    assert not (tmp_path / "run").exists()
    for graphs in ("auto", "off"):
        require_graphs(graphs, CPU)
    require_graphs("on", torch.device("cuda"))


def test_a_batch_of_validation_is_as_large_as_elsewhere() -> None:
    assert BATCH == 512
