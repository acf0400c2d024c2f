"""A representation in front of a network: named, checked, and part of what is built."""

import re

import pytest
import torch

from faultdiag import models, representations
from faultdiag.errors import FaultdiagError
from faultdiag.models.spec import parse_spec

RATE = 12000.0


def build(representation: object) -> torch.nn.Module:
    return models.build(
        "wdcnn", 2, 5, length=2048, representation=representation, sampling_rate=RATE
    )


def test_raw_is_the_network_itself() -> None:
    torch.manual_seed(0)
    alone = models.build("wdcnn", 2, 5, length=2048)
    torch.manual_seed(0)
    raw = build("raw")
    assert type(raw) is type(alone)
    assert all(torch.equal(a, b) for a, b in zip(raw.parameters(), alone.parameters(), strict=True))
    assert not models.needs_speed(raw)


def test_the_network_sees_what_the_representation_gives() -> None:
    front = representations.build("stft", 2, 2048, RATE)
    network = build("stft").eval()
    windows = torch.randn(3, 2, 2048)
    alone = network.network(front(windows))
    assert torch.equal(network(windows), alone)
    assert network(windows).shape == (3, 5)


def test_speed_is_asked_for_and_used() -> None:
    network = build({"name": "order_envelope_spectrum", "bins": 600}).eval()
    assert models.needs_speed(network)
    windows = torch.randn(2, 2, 2048)
    slow, fast = (network(windows, torch.full((2,), rate)) for rate in (20.0, 30.0))
    assert not torch.equal(slow, fast)
    with pytest.raises(FaultdiagError, match="needs the shaft speed and was given none"):
        network(windows)


def test_the_front_has_no_kernels_for_l2() -> None:
    assert len(models.kernel_parameters(build("spectrum"))) == 7


@pytest.mark.parametrize(
    ("representation", "message"),
    [
        ("spectru", "model.representation: unknown representation 'spectru' (did you mean"),
        (5, "model.representation is 5; give a name, or name and options"),
        ({"bands": 4}, "model.representation is {'bands': 4}; give a name"),
        (
            {"name": "envelope_spectrum", "max_frequency": 1000},
            "the length that model.representation gives is 171 samples; wdcnn needs 497 or more",
        ),
        ({"name": "stft", "widow": 3}, "has no option 'widow'"),
    ],
)
def test_problems_are_named_before_data_is_loaded(representation: object, message: str) -> None:
    with pytest.raises(FaultdiagError, match=re.escape(message)):
        parse_spec(
            "wdcnn",
            1,
            5,
            length=2048,
            representation=representation,
            sampling_rate=RATE,
            try_out=True,
        )


def test_a_representation_needs_the_sampling_rate() -> None:
    message = "model.representation: 'spectrum' needs the sampling rate of the windows"
    with pytest.raises(FaultdiagError, match=re.escape(message)):
        models.build("wdcnn", 1, 5, length=2048, representation="spectrum")
