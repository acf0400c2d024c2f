"""What travels in an ONNX file beside its graph."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faultdiag import novelty
from faultdiag.errors import FaultdiagError
from faultdiag.export.metadata import from_texts, to_texts
from faultdiag.scoring import ModelFacts

PATH = Path("pump.onnx")


@pytest.fixture
def facts() -> ModelFacts:
    draw = np.random.default_rng(0)
    levels = draw.uniform(-60, 0, (40, 2 * novelty.bands_of(256))).astype(np.float32)
    return ModelFacts(
        classes=("N", "innen"),
        healthy=("N",),
        channels=("DE", "FE"),
        sampling_rate=12000.0,
        length=256,
        needs_speed=False,
        temperature=1.25,
        novelty=novelty.fit(levels[:30], np.ones(9), independent=9, basis="other seconds"),
        provenance={"split": "across_loads", "test": {"accuracy": 0.5}},
    )


def test_facts_come_back_as_they_were(facts: ModelFacts) -> None:
    found = from_texts(PATH, to_texts(facts))
    assert vars(replace(found, novelty=None)) == vars(replace(facts, novelty=None))
    assert found.novelty is not None
    assert facts.novelty is not None
    windows = np.random.default_rng(1).standard_normal((5, 2, 256)).astype(np.float32)
    np.testing.assert_array_equal(found.novelty.scores(windows), facts.novelty.scores(windows))


def test_a_model_without_novelty(facts: ModelFacts) -> None:
    assert from_texts(PATH, to_texts(replace(facts, novelty=None))).novelty is None


def test_values_are_json_that_other_programs_can_read(facts: ModelFacts) -> None:
    texts = to_texts(facts)
    assert json.loads(texts["faultdiag.classes"]) == ["N", "innen"]
    assert json.loads(texts["faultdiag.test"]) == {"accuracy": 0.5}
    assert json.loads(texts["faultdiag.format"]) == 1


def test_another_onnx_file_is_refused() -> None:
    with pytest.raises(FaultdiagError, match=r"pump.onnx is an ONNX file, but not one that .*expo"):
        from_texts(PATH, {"author": "me"})


def test_a_later_format_is_refused(facts: ModelFacts) -> None:
    texts = to_texts(facts) | {"faultdiag.format": "2"}
    with pytest.raises(FaultdiagError, match="has the format 2, this version of faultdiag reads 1"):
        from_texts(PATH, texts)


@pytest.mark.parametrize(
    ("key", "text", "problem"),
    [
        ("classes", "[]", "faultdiag.classes"),
        ("classes", "{", "faultdiag.classes is not JSON"),
        ("sampling_rate", "0", "faultdiag.sampling_rate"),
        ("temperature", "NaN", "faultdiag.temperature"),
        ("length", "12.5", "faultdiag.length"),
        ("needs_speed", '"no"', "faultdiag.needs_speed"),
        ("novelty", '{"reference": "AAAA", "columns": 1}', "faultdiag.novelty"),
        ("novelty", '{"reference": "?"}', "faultdiag.novelty"),
        ("novelty", "3", "faultdiag.novelty is int"),
    ],
)
def test_damage_is_named(facts: ModelFacts, key: str, text: str, problem: str) -> None:
    texts = to_texts(facts) | {f"faultdiag.{key}": text}
    with pytest.raises(FaultdiagError, match=f"pump.onnx is damaged: {problem}"):
        from_texts(PATH, texts)


@pytest.mark.parametrize("name", ["classes", "channels", "sampling_rate", "temperature"])
def test_a_missing_key_is_named(facts: ModelFacts, name: str) -> None:
    texts = to_texts(facts)
    del texts[f"faultdiag.{name}"]
    with pytest.raises(FaultdiagError, match=f"damaged: faultdiag.{name}: Field required"):
        from_texts(PATH, texts)
