"""What `check` and `build` refuse, and that they tell all of it at once."""

import subprocess
import sys
from typing import Any

import pytest
import torch

from faultdiag import models
from faultdiag.errors import FaultdiagError
from faultdiag.models.spec import parse_spec
from faultdiag.models.zoo import most_classes
from tests.models.networks import eca


def problems_of(
    name: str = "wdcnn", channels: int = 1, classes: int = 4, **settings: Any
) -> list[str]:
    with pytest.raises(FaultdiagError) as error:
        parse_spec(name, channels, classes, **({"length": 2048} | settings), try_out=True)
    return str(error.value).splitlines()


@pytest.mark.parametrize("name", list(models.NETWORKS))
def test_defaults_pass(name: str) -> None:
    classes = min(10, most_classes(name) or 10)
    settings = {"length": 2048, "sampling_rate": 12000.0, "attention": eca(name)}
    parse_spec(name, 1, classes, **settings, try_out=True)


def test_all_problems_at_once_each_with_its_place() -> None:
    lines = problems_of(
        channels=0,
        classes=1,
        length=100,
        attention=[{"name": "ecaa", "after": 9}, {"name": "eca", "after": 1, "kernel_size": 4}],
        options={"dropot": 0.1, "padding5": "some"},
    )
    assert lines == [
        "model.dropot: network 'wdcnn' has no option 'dropot' (did you mean 'dropout'?); "
        "it has: dropout, padding5",
        "model.padding5: network 'wdcnn': padding5 is 'some'; Input should be 'same' or 'valid'",
        "channels is 0; wdcnn needs 1 or more",
        "classes is 1; wdcnn needs 2 or more to tell apart",
        "window.length is 100 samples; wdcnn needs 497 or more",
        lines[5],
        "model.attention.0.after is 9; wdcnn has blocks 1 to 5",
        "model.attention.1 after block 1: attention block 'eca': kernel_size is 4 but must be "
        "odd; use 3 or 5",
    ]
    assert lines[5].startswith("model.attention.0.name: unknown attention block 'ecaa'")


def test_unknown_network() -> None:
    first, second, third = problems_of("wdcn", attention={"name": "nothing"})
    assert first.startswith("model.name: unknown network 'wdcn' (did you mean 'wdcnn'?); known: ")
    assert second.startswith("model.attention.name: unknown attention block 'nothing'; known: ")
    assert third.startswith("model.attention.after is missing")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("wdcnn", {"dropout": 1.0}, "dropout is 1.0; give 0 or more and less than 1"),
        ("wdcnn", {"dropout": float("nan")}, "dropout is nan; give 0 or more and less than 1"),
        ("cnn1d", {"pool": 0}, "pool is 0; give 1 or more"),
        ("cnn1d", {"widths": ()}, "widths is (); give at least one number"),
        ("cnn1d", {"widths": [8, 0]}, "widths is [8, 0]; give 1 or more"),
        ("ticnn", {"kernel_dropout": (0.9, 0.1)}, "is (0.9, 0.1); give the smaller share first"),
        ("densenet1d", {"compression": 0.0}, "is 0.0; give more than 0 and at most 1"),
    ],
)
def test_options_out_of_range(name: str, options: dict[str, Any], message: str) -> None:
    (line,) = problems_of(name, options=options)
    assert line.startswith(f"model.{next(iter(options))}: network '{name}': ")
    assert line.endswith(message)


@pytest.mark.parametrize(("option", "value"), [("pool", True), ("pool", "4"), ("dropout", "0.1")])
def test_options_of_another_type(option: str, value: Any) -> None:
    (line,) = problems_of("cnn1d", options={option: value})
    assert f"{option} is {value!r}; Input should be a valid" in line


def test_kernels_that_do_not_go_with_widths() -> None:
    assert problems_of("cnn1d", options={"kernels": (3, 5), "widths": (8, 8, 8)}) == [
        "model.kernels has 2 numbers and model.widths 3; give one kernel size for each width, "
        "or one for all"
    ]


def test_heads_that_do_not_divide_the_width() -> None:
    assert problems_of("transformer1d", options={"heads": 3, "width": 8}) == [
        "model.heads is 3, which does not divide model.width 8; use one of 1, 2, 4, 8"
    ]


def test_shortest_window_follows_the_options() -> None:
    short = {"length": 1008, "options": {"padding5": "valid"}}
    assert problems_of(**short) == ["window.length is 1008 samples; wdcnn needs 1009 or more"]
    parse_spec("wdcnn", 1, 4, length=1009, options={"padding5": "valid"}, try_out=True)


def test_lengths_at_which_blocks_cannot_work_are_all_found() -> None:
    # 2000 samples leave 62, 31 and 15 positions after blocks 1, 2 and 3: not to be folded by 4.
    slot = {"name": "axial", "fold": 4}
    lines = problems_of(
        length=2000, attention=[slot | {"after": [1, 3]}, {"name": "eca", "after": 2}]
    )
    assert [line.split(":")[0] for line in lines] == [
        "model.attention.0 after block 1",
        "model.attention.0 after block 3",
    ]


def test_check_keeps_the_global_random_state() -> None:
    state = torch.random.get_rng_state()
    parse_spec("ticnn", 1, 4, length=2048, try_out=True)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_build_tells_all_problems_too() -> None:
    with pytest.raises(FaultdiagError) as error:
        models.build("wdcnn", 1, 4, length=100, attention={"name": "eca", "after": 7}, dropot=1)
    assert len(str(error.value).splitlines()) == 3


def test_importing_the_package_does_not_import_torch() -> None:
    code = "import sys, faultdiag.models; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
