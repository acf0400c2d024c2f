"""The facts about the networks against counts by hand."""

import json

import pytest

from faultdiag.baselines import BASELINES
from faultdiag.features import extract
from faultdiag.models import NETWORKS
from faultdiag.models.describe import ModelFacts, describe
from faultdiag.report.tables import models_text


@pytest.fixture(scope="module")
def everything() -> list[ModelFacts]:
    return describe()


@pytest.fixture(scope="module")
def facts(everything: list[ModelFacts]) -> dict[str, ModelFacts]:
    return {fact["name"]: fact for fact in everything if fact["kind"] == "network"}


@pytest.fixture(scope="module")
def baselines(everything: list[ModelFacts]) -> dict[str, ModelFacts]:
    return {fact["name"]: fact for fact in everything if fact["kind"] == "baseline"}


def test_lists_every_network_in_order(facts: dict[str, ModelFacts]) -> None:
    assert list(facts) == list(NETWORKS)


def test_then_every_baseline_under_names_of_their_own(
    everything: list[ModelFacts], baselines: dict[str, ModelFacts]
) -> None:
    assert [fact["name"] for fact in everything] == [*NETWORKS, *BASELINES]
    assert not {*NETWORKS} & {*BASELINES}
    for fact in baselines.values():
        assert (fact["parameters"], fact["multiply_adds"], fact["positions"]) == (None,) * 3
    assert {name: fact["minimum_length"] for name, fact in baselines.items()} == {
        "dummy": 1,
        **dict.fromkeys(set(BASELINES) - {"dummy"}, extract.SHORTEST),
    }


def test_baselines_are_told_with_their_options(
    everything: list[ModelFacts], baselines: dict[str, ModelFacts]
) -> None:
    text = models_text(everything).partition("\nBaselines, ")[2]
    for name, fact in baselines.items():
        for words in (name, fact["summary"], fact["reference"], *fact["options"]):
            assert words in text
    assert "options: trees=200, leaf=5, use=[], bearing=null\n" in text
    assert "for every window: scikit-learn's ``prior``. (any window)\n    options: none" in text


def test_sizes_are_those_of_the_docstrings(facts: dict[str, ModelFacts]) -> None:
    assert {name: fact["parameters"] for name, fact in facts.items()} == {
        "wdcnn": 60_710,
        "cnn1d": 77_386,
        "ticnn": 66_790,
        "resnet1d": 966_314,
        "densenet1d": 149_066,
        "transformer1d": 140_874,
        "band_net": 34_186,
        "tied_z": 20,
        "tied_teeth": 197,
    }


def test_multiply_adds_of_the_baseline_by_hand(facts: dict[str, ModelFacts]) -> None:
    convolutions = [(128, 1 * 64 * 16), (64, 16 * 3 * 32), (32, 32 * 3 * 64)]
    convolutions += [(16, 64 * 3 * 64), (8, 64 * 3 * 64)]
    by_hand = sum(length * each for length, each in convolutions) + 256 * 100 + 100 * 10
    assert facts["wdcnn"]["multiply_adds"] == by_hand


def test_multiply_adds_of_the_transformer_by_hand(facts: dict[str, ModelFacts]) -> None:
    block = 64 * 64 * (3 * 64 + 64 + 2 * 128) + 2 * 64 * 64 * 64
    assert facts["transformer1d"]["multiply_adds"] == 64 * 32 * 64 + 4 * block + 64 * 10


def test_positions_and_shortest_windows(facts: dict[str, ModelFacts]) -> None:
    assert {n: (f["positions"], f["minimum_length"]) for n, f in facts.items()} == {
        "wdcnn": (5, 497),
        "cnn1d": (4, 256),
        "ticnn": (6, 1017),
        "resnet1d": (8, 65),
        "densenet1d": (4, 121),
        "transformer1d": (4, 33),
        "band_net": (1, 16),
        "tied_z": (1, 12),
        "tied_teeth": (1, 12),
    }


def test_front_ends_and_classes(facts: dict[str, ModelFacts]) -> None:
    special = {n: (f["representation"], f["classes"]) for n, f in facts.items()}
    assert special.pop("band_net") == ("log_psd", 10)
    assert special.pop("tied_z") == special.pop("tied_teeth") == ("fault_order_combs", 4)
    assert set(special.values()) == {("raw", 10)}
    text = models_text(list(facts.values()))
    assert "multiply-adds (4 classes)  attention after 1, on fault_order_combs\n" in text


def test_text_tells_all_and_json_takes_it(facts: dict[str, ModelFacts]) -> None:
    text = models_text(list(facts.values()))
    for name, fact in facts.items():
        assert name in text
        assert fact["reference"] in text
        assert f"{fact['parameters']:,} parameters" in text
        for option in fact["options"]:
            assert f"{option}=" in text
    assert "widths=[16, 32, 64, 128]" in text
    assert json.loads(json.dumps(list(facts.values())))[0]["options"] == {
        "dropout": 0.0,
        "padding5": "same",
    }
