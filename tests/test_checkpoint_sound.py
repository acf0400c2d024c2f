"""Checkpoints that are not sound are refused with one message, for whatever they would cost."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
import torch

from faultdiag.checkpoint import load
from faultdiag.errors import FaultdiagError

Document = dict[str, Any]


def lengths(document: Document, length: int) -> None:
    document["window"]["length"] = length
    document["model_spec"]["length"] = length


def loop(document: Document) -> None:
    document["config"]["itself"] = [document["config"]]


def fill(document: Document, value: float) -> None:
    next(iter(document["model"].values())).fill_(value)


def variance(document: Document) -> None:
    next(v for name, v in document["model"].items() if name.endswith("running_var")).fill_(-1)


def spread(document: Document) -> None:
    name = next(iter(document["model"]))
    document["model"][name] = torch.zeros(1).expand(10**9)


DAMAGE: dict[str, Callable[[Document], object]] = {
    "weights NaN": lambda d: fill(d, float("nan")),
    "weights infinite": lambda d: fill(d, float("inf")),
    "negative variance": variance,
    "more numbers than stored": spread,
    "weights by number": lambda d: d.update(model={1: 2}),
    "window of 1e9": lambda d: lengths(d, 10**9),
    "window of 0": lambda d: lengths(d, 0),
    "another window": lambda d: d["window"].update(length=1024),
    "window as text": lambda d: lengths(d, "256"),  # type: ignore[arg-type]
    "rate NaN": lambda d: d.update(sampling_rate=float("nan")),
    "rate 0": lambda d: d.update(sampling_rate=0),
    "rate beyond floats": lambda d: d.update(sampling_rate=10**400),
    "classes are dicts": lambda d: d.update(classes=[{}] * 3),
    "classes twice": lambda d: d.update(classes=["a"] * 3),
    "channels without end": lambda d: d.update(channels=["x"] * 10**6),
    "history without end": lambda d: d.update(training={"history": ["x"] * 3_000_000}),
    "no config": lambda d: d.update(config={}),
    "options are a list": lambda d: d["model_spec"].update(options=[1]),
    "options too large": lambda d: d["model_spec"].update(options={"width": 10**9}),
    "name is a list": lambda d: d["model_spec"].update(name=["wdcnn"]),
    "normaliser is a list": lambda d: d["normalize"].update(name=[]),
    "state NaN": lambda d: d["normalize"].update(state={"mean": [[float("nan")]]}),
    "in itself": loop,
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_is_not_sound_is_refused_at_once(name: str, trained: Path, tmp_path: Path) -> None:
    document = torch.load(trained / "best.pt", weights_only=True)
    DAMAGE[name](document)
    path = tmp_path / "model.pt"
    torch.save(document, path)
    began = time.monotonic()
    with pytest.raises(FaultdiagError) as error:
        load(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)
    assert time.monotonic() - began < 5


def test_packed_parts_are_refused(trained: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    with ZipFile(trained / "best.pt") as before, ZipFile(path, "w", ZIP_DEFLATED) as after:
        for member in before.infolist():
            after.writestr(member.filename, before.read(member) + bytes(10**6))
    with pytest.raises(FaultdiagError, match="is no faultdiag checkpoint"):
        load(path)


def test_a_sound_one_is_read(trained: Path) -> None:
    assert load(trained / "best.pt").length == 256
    assert load(trained / "last.pt").training is not None
