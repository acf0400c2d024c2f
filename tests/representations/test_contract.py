"""What every representation must do."""

import copy
from typing import Any

import pytest
import torch

from faultdiag.representations import REPRESENTATIONS
from tests.representations.fronts import NAMES, OTHER, facts, front, rates, windows

SPECTRAL = [name for name in NAMES if "scale" in REPRESENTATIONS.options(name)]
FREE_OF_GAIN = ["log_psd", "log_spectra", "fault_order_combs"]


def through(built: Any, x: torch.Tensor) -> torch.Tensor:
    """What it gives; what is known of the windows only where it is needed."""
    y: torch.Tensor = built(x, *facts(built, len(x)))
    return y


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("channels", "length"), [(1, 200), (2, 201), (3, 97)])
@pytest.mark.parametrize("options", ["defaults", "others"])
def test_gives_the_shape_it_says(name: str, channels: int, length: int, options: str) -> None:
    chosen = OTHER[name] if options == "others" else {}
    built = front(name, channels, length, **chosen)
    y = through(built, windows(3, channels, length))
    assert y.shape == (3, built.out_channels, built.out_length)
    assert y.isfinite().all()
    assert (y[0] - y[1]).abs().max() > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_says_what_it_is(name: str) -> None:
    kind: Any = REPRESENTATIONS.get(name)
    assert kind.needs_speed is (name in {"order_envelope_spectrum", "fault_order_combs"})
    if name == "raw":
        assert kind.reference == "no transformation (baseline)"
    else:
        identifier = kind.reference.rsplit(" ", 1)[1]
        assert identifier.startswith("doi:10.")
        assert identifier in kind.__doc__
    built = front(name)
    assert type(built.out_channels) is int
    assert type(built.out_length) is int


@pytest.mark.parametrize("name", NAMES)
def test_has_nothing_to_train_or_to_save(name: str) -> None:
    built = front(name)
    assert not list(built.parameters())
    assert not built.state_dict()


@pytest.mark.parametrize("name", NAMES)
def test_a_window_does_not_see_its_batch(name: str) -> None:
    built, x = front(name, 2), windows(4, 2)
    known = facts(built, 4)
    alone = [built(x[i : i + 1], *(fact[i : i + 1] for fact in known)) for i in range(4)]
    torch.testing.assert_close(built(x, *known), torch.cat(alone), rtol=1e-10, atol=1e-10)


# The channels of fault_order_combs share one slip: see test_combs.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "fault_order_combs"])
def test_a_channel_is_that_of_the_window_of_it_alone(name: str) -> None:
    if name in SPECTRAL:
        built, single = (front(name, c, standardise="channel") for c in (2, 1))
    else:
        built, single = front(name, 2), front(name, 1)
    x = windows(3, 2)
    parts = [through(single, x[:, c : c + 1]) for c in range(2)]
    torch.testing.assert_close(through(built, x), torch.cat(parts, 1), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16], ids=str
)
def test_keeps_the_type(name: str, dtype: torch.dtype) -> None:
    x = windows(dtype=dtype)
    y = through(front(name), x)
    assert y.dtype == dtype
    expected = through(front(name), x.double())
    tolerance = 1e-2 if dtype.itemsize == 2 else 1e-3
    assert (y - expected).abs().max() < tolerance * expected.abs().max()


@pytest.mark.parametrize("name", NAMES)
def test_autocast_changes_nothing(name: str) -> None:
    built, x = front(name), windows(dtype=torch.float32)
    expected = through(built, x)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(through(built, x), expected)


@pytest.mark.parametrize("name", NAMES)
def test_gives_the_same_again_and_leaves_its_input_alone(name: str) -> None:
    built, x = front(name, 2), windows(3, 2)
    known = facts(built)
    before = x.clone(), [fact.clone() for fact in known]
    first = built(x, *known)
    assert torch.equal(built(x, *known), first)
    assert torch.equal(front(name, 2)(x, *known), first)
    assert torch.equal(x, before[0])
    assert all(map(torch.equal, known, before[1]))


@pytest.mark.parametrize("name", NAMES)
def test_takes_windows_that_are_views(name: str) -> None:
    built, whole = front(name), windows(1, 1, 500)[0, 0]
    views = whole.unfold(0, 200, 100)[:, None]
    rows = views.clone(memory_format=torch.contiguous_format)
    torch.testing.assert_close(through(built, views), through(built, rows), rtol=0, atol=0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("level", [0.0, 0.1, -3.7])
def test_a_dead_window_gives_zeros(name: str, level: float) -> None:
    # At this length the mean of equal numbers is not that number.
    x = torch.full((1, 1, 999), level, dtype=torch.float32)
    assert level == 0 or x.mean() != x[0, 0, 0]
    y = through(front(name, length=999), x)
    if name in {*SPECTRAL, "log_psd", "fault_order_combs"}:
        assert torch.equal(y, torch.zeros_like(y))
    assert y.isfinite().all()


@pytest.mark.parametrize("name", FREE_OF_GAIN)
def test_no_gain_and_no_offset_gets_through_whatever_the_options(name: str) -> None:
    built, x = front(name, 2), windows(3, 2)
    for gain in (1e-6, 1000.0):
        changed = through(built, gain * (x + 7))
        torch.testing.assert_close(changed, through(built, x), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", SPECTRAL)
@pytest.mark.parametrize("scale", ["linear", "log", "root"])
@pytest.mark.parametrize("standardise", ["window", "channel"])
def test_no_gain_and_no_offset_gets_through(name: str, scale: str, standardise: str) -> None:
    built, x = front(name, 2, scale=scale, standardise=standardise), windows(3, 2)
    y = through(built, x)
    torch.testing.assert_close(through(built, 1000 * x + 7), y, rtol=1e-8, atol=1e-8)
    dims = (-1,) if standardise == "channel" else (-2, -1)
    torch.testing.assert_close(y.mean(dims), torch.zeros_like(y.mean(dims)), rtol=0, atol=1e-10)
    spread = y.std(dims, correction=0)
    torch.testing.assert_close(spread, torch.ones_like(spread), rtol=1e-10, atol=0)


@pytest.mark.parametrize(
    "name", [name for name in NAMES if not REPRESENTATIONS.get(name).needs_speed]
)
def test_shaft_rates_change_nothing_where_they_are_not_needed(name: str) -> None:
    built, x = front(name), windows()
    assert torch.equal(built(x, rates()), built(x))
    assert torch.equal(built(x, None), built(x))


@pytest.mark.parametrize("name", NAMES)
def test_options_of_the_table_are_all_there_are(name: str) -> None:
    assert set(OTHER[name]) == set(REPRESENTATIONS.options(name))


@pytest.mark.parametrize(("name", "option"), [(n, o) for n, t in OTHER.items() for o in t])
def test_every_option_changes_something(name: str, option: str) -> None:
    # Several channels of unlike level, so that standardising them apart is seen.
    x = windows(3, 2) * torch.tensor([[1.0], [5.0]], dtype=torch.float64)
    before = through(front(name, 2), x)
    after = through(front(name, 2, **{option: OTHER[name][option]}), x)
    assert after.shape != before.shape or (after - before).abs().max() > 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_converting_a_network_takes_it_along(name: str) -> None:
    x = windows(dtype=torch.float32)
    expected = through(front(name), x)
    for built in (front(name).float(), front(name).double(), copy.deepcopy(front(name))):
        torch.testing.assert_close(through(built, x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", SPECTRAL)
def test_gradients_reach_the_window(name: str) -> None:
    x = windows().requires_grad_()
    through(front(name), x).square().mul(torch.arange(3)[:, None, None]).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    through(front(name, scale="linear", standardise="none"), x).sum().backward()
    assert x.grad[2].abs().max() > 1e-6


@pytest.mark.parametrize("name", FREE_OF_GAIN)
def test_gradients_are_those_of_the_formula(name: str) -> None:
    # At 128 samples, to be quick; the slip, which is chosen, has no gradient.
    built = front(name, length=128, **{"slips": 1} if name == "fault_order_combs" else {})
    x = windows(2, length=128).requires_grad_()
    known = facts(built, 2)
    assert torch.autograd.gradcheck(lambda x: built(x, *known), x, eps=1e-7, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_exports_whole(name: str) -> None:
    # A number of sweeps that depends on the data cannot be exported: tolerance 0 makes them all.
    options: dict[str, Any] = {"tolerance": 0.0, "iterations": 3} if name == "vmd" else {}
    built, x = front(name, **options), windows(dtype=torch.float32)
    arguments = (x, *facts(built))
    program = torch.export.export(built, arguments).module()
    torch.testing.assert_close(program(*arguments), built(*arguments))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", NAMES)
def test_cpu_and_cuda_agree(name: str) -> None:
    built, x = front(name, 2), windows(4, 2)
    known = facts(built, 4)
    expected = built(x, *known)
    on_gpu = copy.deepcopy(built).cuda()
    for there in (known, [fact.cuda() for fact in known]):
        found = on_gpu(x.cuda(), *there).cpu()
        torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-8)
    with torch.autocast("cuda", torch.bfloat16):
        assert on_gpu(x.float().cuda(), *known).dtype == torch.float32
