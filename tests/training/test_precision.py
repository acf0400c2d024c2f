"""What a training sets in torch before it runs on a GPU, and what it says of operations there."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from faultdiag.errors import FaultdiagError
from faultdiag.inference import autocast, set_tf32
from faultdiag.training.gpu import repeatable, set_precision

CUDA = torch.device("cuda")


@pytest.fixture(autouse=True)
def unchanged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    cudnn: Any = torch.backends.cudnn
    before = [(item, item.fp32_precision) for item in operations()]
    flags = (cudnn.benchmark, cudnn.deterministic)
    yield
    for item, value in before:
        item.fp32_precision = value
    cudnn.benchmark, cudnn.deterministic = flags
    torch.set_deterministic_debug_mode("default")


def operations() -> list[Any]:
    cudnn: Any = torch.backends.cudnn
    return [torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn]


@pytest.mark.parametrize("deterministic", [True, False])
@pytest.mark.parametrize(
    ("precision", "rounding"), [("float32", "ieee"), ("tf32", "tf32"), ("bfloat16", "ieee")]
)
def test_what_is_set_for_a_gpu(precision: str, rounding: str, deterministic: bool) -> None:
    torch.backends.cudnn.benchmark = True
    set_precision(CUDA, precision, deterministic=deterministic)
    assert {item.fp32_precision for item in operations()} == {rounding}
    assert torch.are_deterministic_algorithms_enabled() is deterministic
    assert not torch.is_deterministic_algorithms_warn_only_enabled()
    assert torch.backends.cudnn.deterministic is deterministic
    assert not torch.backends.cudnn.benchmark


def test_nothing_is_set_for_a_processor() -> None:
    set_precision(CUDA, "tf32", deterministic=False)
    set_precision(torch.device("cpu"), "float32", deterministic=True)
    assert {item.fp32_precision for item in operations()} == {"tf32"}
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.filterwarnings("ignore:CUDA is not available")
def test_a_forward_pass_has_its_precision_whatever_was_set() -> None:
    for precision, rounding in (("tf32", "tf32"), ("float32", "ieee"), ("bfloat16", "ieee")):
        autocast(CUDA, precision)
        assert {item.fp32_precision for item in operations()} == {rounding}
    autocast(CUDA, "tf32")
    autocast(torch.device("cpu"), "float32")
    assert {item.fp32_precision for item in operations()} == {"tf32"}


class OldTorch:
    """The settings of torch before 2.9."""

    allow_tf32: bool | None = None


@pytest.mark.parametrize("allowed", [True, False])
def test_what_is_set_in_torch_before_2_9(allowed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    cudnn, matmul = OldTorch(), OldTorch()
    with monkeypatch.context() as patch:
        patch.setattr(torch.backends, "cudnn", cudnn)
        patch.setattr(torch.backends.cuda, "matmul", matmul)
        set_tf32(allowed)
    assert (cudnn.allow_tf32, matmul.allow_tf32) == (allowed, allowed)


def test_an_environment_in_which_cublas_does_not_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":0:0")
    with pytest.raises(
        FaultdiagError,
        match=r"^train\.deterministic is true, but CUBLAS_WORKSPACE_CONFIG is ':0:0' in the "
        r"environment; unset it, or set it to :4096:8 or :16:8$",
    ):
        set_precision(CUDA, "float32", deterministic=True)
    set_precision(CUDA, "float32", deterministic=False)


def test_an_operation_that_does_not_repeat_bit_for_bit() -> None:
    torch.set_deterministic_debug_mode("error")
    values = torch.zeros(4).put_
    with (
        pytest.raises(
            FaultdiagError,
            match=r"^train\.deterministic is true, but put_ does not have a deterministic "
            r"implementation; set train\.deterministic: false, or use --device cpu, another "
            r"network or attention block$",
        ),
        repeatable(deterministic=True),
    ):
        values(torch.tensor([0]), torch.ones(1))
    with pytest.raises(RuntimeError, match="deterministic"), repeatable(deterministic=False):
        values(torch.tensor([0]), torch.ones(1))
    with pytest.raises(RuntimeError, match="another"), repeatable(deterministic=True):
        raise RuntimeError("another")
