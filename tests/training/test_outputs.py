"""Outputs of a front end, computed once: the same training, only faster."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from faultdiag.config.schema import Config
from faultdiag.inference import WindowBatches
from faultdiag.preparing.prepare import prepare
from faultdiag.training import loop, step
from faultdiag.training.loop import Trainer, trainer_settings
from faultdiag.training.specs import complete_spec, resolve_spec
from tests.data_fixtures import tiny_config

CPU = torch.device("cpu")
Make = Callable[..., Config]


def trainer_of(config: Config) -> Trainer:
    prepared = prepare(config)
    torch.manual_seed(0)
    network = complete_spec(resolve_spec(config), prepared)[0].build()
    parts = (WindowBatches(prepared, prepared.windows.of(p), CPU) for p in ("train", "valid"))
    segments = prepared.segments("train")
    return Trainer(network, *parts, trainer_settings(config), segments=segments)


@pytest.fixture
def tiny(recordings: Path, prepared_root: Path) -> Make:
    order = {"name": "order_envelope_spectrum", "bins": 64, "max_order": 8}
    model = {"name": "band_net", "representation": order, "bands": 4, "hidden": [8]}

    def make(**changes: Any) -> Config:
        return tiny_config(recordings, prepared_root, model=model, train__epochs=2, **changes)

    return make


def test_a_training_on_kept_outputs_is_the_same(
    tiny: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny()
    kept = trainer_of(config)
    kept.fit(lambda *_: None)
    monkeypatch.setattr(step, "SHARE", 0.0)
    monkeypatch.setattr(step, "FEW", 0)
    computed = trainer_of(config)
    computed.fit(lambda *_: None)
    for key, value in computed.network.state_dict().items():
        torch.testing.assert_close(kept.network.state_dict()[key], value, rtol=1e-4, atol=1e-6)
    for one, other in zip(kept.progress.history, computed.progress.history, strict=True):
        assert one["valid_loss"] == pytest.approx(other["valid_loss"], rel=1e-4)


@pytest.mark.parametrize(
    ("sign", "few", "calls"), [(False, 1 << 20, 1), (False, 0, 0), (True, 1 << 20, 0)]
)
def test_outputs_are_kept_where_they_are_few_and_no_window_is_changed(
    sign: bool, few: int, calls: int, tiny: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step, "SHARE", 0.0)
    monkeypatch.setattr(step, "FEW", few)
    asked: list[bool] = []

    def without_front(network: Any, train: Any, valid: Any) -> Any:
        shown = step.without_front(network, train, valid)
        asked.append(shown[0] is not network)
        return shown

    monkeypatch.setattr(loop, "without_front", without_front)
    trainer_of(tiny(train__augment={"sign": sign}))
    assert sum(asked) == calls
