"""A baseline in the place of a network: the same numbers, stored whole, and files that lie."""

import io
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from faultdiag import models
from faultdiag.baselines import BASELINES
from faultdiag.errors import FaultdiagError
from faultdiag.features import extract
from faultdiag.models.baseline import LEAST, BaselineModel, build_baseline, problems_of
from faultdiag.models.spec import spec_of
from faultdiag.signal.bearings import get_bearing

NAMES = list(BASELINES)
CLASSES = ["B", "IR", "OR"]
RATE, LENGTH = 12_000.0, 512
SMALL: dict[str, Any] = {"random_forest": {"trees": 4}}


def windows(count: int = 24, seed: int = 0) -> Tensor:
    """Noise, coloured differently from class to class."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((count, 1, LENGTH)).astype(np.float32)
    share = (np.arange(count) % 3 / 2).astype(np.float32)[:, None, None]
    return torch.from_numpy(x + share * np.roll(x, 1, axis=-1))


def speeds(count: int = 24) -> Tensor:
    return torch.linspace(25, 30, count)


@cache
def fitted(name: str) -> BaselineModel:
    """Give the one that nobody changes."""
    bearing = {} if name == "dummy" else {"bearing": "6205"}
    model = build_baseline(
        name, ["DE"], CLASSES, sampling_rate=RATE, **bearing, **SMALL.get(name, {})
    )
    labels = np.arange(24) % 3
    model.baseline.fit(model.features(windows(), speeds()), labels, seed=0)
    return model


def specification(name: str, **changes: Any) -> dict[str, Any]:
    bearing = {} if name == "dummy" else {"bearing": "6205"}
    return {
        "name": name,
        "channels": 1,
        "classes": 3,
        "length": LENGTH,
        "attention": None,
        "representation": "raw",
        "sampling_rate": RATE,
        "options": {**SMALL.get(name, {}), **bearing},
        "names": {"channels": ["DE"], "classes": CLASSES},
        **changes,
    }


def stored(model: BaselineModel) -> dict[str, Tensor]:
    """Give the state dict after a trip through a file that holds tensors alone."""
    file = io.BytesIO()
    torch.save(dict(model.state_dict()), file)
    file.seek(0)
    return dict(torch.load(file, weights_only=True))


@pytest.mark.parametrize("name", NAMES)
def test_logits_are_the_logarithms_of_the_probabilities(name: str) -> None:
    model, x, rates = fitted(name), windows(seed=1), speeds()
    logits = model(x, rates)
    assert logits.shape == (24, 3)
    assert logits.dtype == torch.float64
    assert torch.isfinite(logits).all()
    table = np.zeros((24, 0))
    if name != "dummy":
        table = extract.compute(
            x.numpy(), RATE, shaft_rates=rates.double().numpy(), bearing=get_bearing("6205")
        )
    expected = np.maximum(model.baseline.probabilities(table), LEAST)
    assert logits.exp().numpy() == pytest.approx(expected)


def test_a_class_without_training_windows_has_a_finite_logit() -> None:
    model = build_baseline("dummy", ["DE"], CLASSES, sampling_rate=RATE)
    model.baseline.fit(np.zeros((4, 0)), np.array([0, 0, 2, 2]), seed=0)
    (row,) = model(windows(1)).tolist()
    assert row == pytest.approx([math.log(0.5), math.log(1e-12), math.log(0.5)])


@pytest.mark.parametrize("name", NAMES)
def test_it_is_the_same_after_storing_and_building_anew(name: str) -> None:
    model = fitted(name)
    again = spec_of(specification(name)).build()
    again.load_state_dict(stored(model))
    assert torch.equal(again(windows(seed=1), speeds()), model(windows(seed=1), speeds()))
    assert isinstance(again, BaselineModel)
    for key, array in model.baseline.arrays.items():
        back = again.baseline.arrays[key]
        assert back.dtype == array.dtype
        assert np.array_equal(back, array)
    assert models.needs_speed(again) == (name != "dummy")


def test_what_was_stored_does_not_change_with_the_model() -> None:
    model = spec_of(specification("dummy")).build()
    state = fitted("dummy").state_dict()
    model.load_state_dict(state)
    state["shares"].fill_(7)
    assert model(windows(1)).exp().sum() == pytest.approx(1)
    assert fitted("dummy")(windows(1)).exp().sum() == pytest.approx(1)


def test_inside_another_module_it_is_stored_under_its_name() -> None:
    outer = torch.nn.ModuleDict({"inner": fitted("logistic")})
    state = outer.state_dict()
    assert {"inner.weights", "inner.present"} <= set(state)
    again = torch.nn.ModuleDict({"inner": spec_of(specification("logistic")).build()})
    again.load_state_dict(state)
    assert torch.equal(again["inner"](windows(), speeds()), outer["inner"](windows(), speeds()))


@pytest.mark.parametrize("name", ["logistic", "svm", "random_forest"])
def test_without_a_bearing_or_orders_in_use_it_needs_no_speed(name: str) -> None:
    assert not models.needs_speed(build_baseline(name, ["DE"], CLASSES, sampling_rate=RATE))
    without = build_baseline(
        name, ["DE"], CLASSES, sampling_rate=RATE, bearing="6205", use=["time", "energy"]
    )
    assert not models.needs_speed(without)
    assert without.features(windows()).shape == (24, 21)


def test_a_speed_that_is_lacking() -> None:
    with pytest.raises(FaultdiagError, match=r"'svm' looks at shaft orders and was given no shaft"):
        fitted("svm")(windows())


def tampered(name: str, **changes: Callable[[Tensor], Any]) -> dict[str, Any]:
    state: dict[str, Any] = stored(fitted(name))
    for key, change in changes.items():
        state[key] = change(state[key])
    return state


def first(value: float) -> Callable[[Tensor], Tensor]:
    """Give a change of the first number of a tensor."""

    def change(tensor: Tensor) -> Tensor:
        tensor.view(-1)[0] = value
        return tensor

    return change


def to(value: float) -> Callable[[Tensor], Tensor]:
    return lambda tensor: torch.full_like(tensor, value)


@dataclass
class Lie:
    """What is changed in the file of a baseline, and what is said of it."""

    name: str
    changes: Mapping[str, Callable[[Tensor], Any]]
    message: str


LIES = [
    Lie("dummy", {"shares": to(0.5)}, "shares has rows that do not sum to 1"),
    Lie("dummy", {"present": to(1)}, "present must be increasing indices of 3 classes"),
    Lie("dummy", {"present": first(-1)}, "present must be increasing indices of 3 classes"),
    Lie("dummy", {"present": lambda t: t + 1}, "present must be increasing indices of 3 classes"),
    Lie("dummy", {"present": lambda t: t[:0]}, "present must be increasing indices of 3 classes"),
    Lie("dummy", {"present": lambda t: t.double()}, "present holds float64"),
    Lie("dummy", {"shares": lambda t: t[:2]}, "shares has the shape (2,), expected (3,)"),
    Lie("dummy", {"shares": lambda t: t.to(torch.complex64)}, "shares holds complex64"),
    Lie("dummy", {"shares": lambda t: t.bfloat16()}, "no plain array of numbers: it is torch.bfl"),
    Lie("dummy", {"shares": lambda t: t.to_sparse()}, "no plain array of numbers"),
    Lie("dummy", {"shares": lambda _: [0.2, 0.3, 0.5]}, "no plain array of numbers: it is list"),
    Lie("physics", {"threshold": to(math.nan)}, "threshold holds NaN or infinity"),
    Lie("physics", {"threshold": lambda t: t[None]}, "threshold has 1 axes, expected 0"),
    Lie("physics", {"present": lambda t: t[:2]}, "present must be all of its classes"),
    Lie("logistic", {"weights": lambda t: t[:, 1:]}, "weights has the shape (3, 38), expected (3,"),
    Lie("logistic", {"scale": first(0)}, "scale must be positive"),
    Lie("logistic", {"mean": first(math.inf)}, "mean holds NaN or infinity"),
    Lie("logistic", {"present": lambda t: t[:1], "bias": lambda t: t[:1]}, "it knows 1 classes"),
    Lie("svm", {"vectors": lambda t: t[1:]}, "weights has the shape"),
    Lie("svm", {k: lambda t: t[:0] for k in ("vectors", "weights")}, "it has no support vectors"),
    Lie("svm", {"sigmoids": lambda t: t[:1]}, "sigmoids has the shape (1, 2), expected (3, 2)"),
    Lie("svm", {"bias": lambda t: t[:2], "weights": lambda t: t[:, :2]}, "bias has the shape (2,)"),
    Lie("random_forest", {"threshold": first(math.nan)}, "threshold holds NaN or infinity"),
    Lie("random_forest", {"children": lambda t: t[:-1]}, "column has the shape"),
    Lie("random_forest", {"children": first(2**31 - 1)}, "a root or child is not one of its"),
    Lie("random_forest", {"children": first(-1)}, "a root or child is not one of its"),
    Lie("random_forest", {"roots": first(-1)}, "a root or child is not one of its"),
    Lie("random_forest", {"column": first(39)}, "a column beyond the 39 in use"),
    Lie("random_forest", {"column": first(-1)}, "a column beyond the 39 in use"),
    Lie("random_forest", {"children": first(0)}, "its nodes do not form 4 trees"),
    Lie("random_forest", {"roots": lambda t: t[[0, 0, 2, 3]]}, "its nodes do not form 4 trees"),
    Lie("random_forest", {"roots": lambda t: t[:3]}, "its nodes do not form 4 trees"),
    Lie("random_forest", {"roots": lambda t: t[:0]}, "its nodes do not form 4 trees"),
    Lie("random_forest", {"depth": to(2**40)}, "its trees are not 1099511627776 deep"),
    Lie("random_forest", {"depth": to(0)}, "its trees are not 0 deep"),
    Lie("random_forest", {"shares": first(math.nan)}, "shares holds NaN or infinity"),
    Lie("random_forest", {"shares": first(-3)}, "shares has rows that do not sum to 1"),
]


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: f"{lie.name}-{'-'.join(lie.changes)}")
def test_a_file_that_lies_gives_one_error(lie: Lie) -> None:
    model = spec_of(specification(lie.name)).build()
    with pytest.raises(FaultdiagError, match=re.escape(lie.message)):
        model.load_state_dict(tampered(lie.name, **lie.changes))


def test_a_cycle_far_down_a_tree() -> None:
    model, state = spec_of(specification("random_forest")).build(), stored(fitted("random_forest"))
    children = state["children"]
    inner = (children != torch.arange(len(children))[:, None]).any(1).nonzero().flatten()
    children[inner[-1], 1] = inner[0]
    with pytest.raises(FaultdiagError, match=r"is damaged: its nodes do not form 4 trees; take an"):
        model.load_state_dict(state)


@pytest.mark.parametrize("name", NAMES)
def test_arrays_too_few_or_too_many(name: str) -> None:
    model = spec_of(specification(name)).build()
    state = stored(fitted(name))
    with pytest.raises(FaultdiagError, match=f"'{name}' was stored without anything"):
        model.load_state_dict({})
    with pytest.raises(FaultdiagError, match=r"is damaged: it has the unknown arrays more;"):
        model.load_state_dict({**state, "more": torch.zeros(3)})
    lacking = next(iter(BASELINES.get(name).fitted))  # type: ignore[attr-defined]
    with pytest.raises(FaultdiagError, match=f"'{name}' lacks the arrays {lacking}; it has: "):
        model.load_state_dict({key: value for key, value in state.items() if key != lacking})


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_the_numbers_it_is_used_or_refused(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES))
    state = stored(fitted(name))
    tensor = state[data.draw(st.sampled_from(sorted(state)))]
    extreme = [-1, 0, 1, 2, 3, 40, 2**31 - 1, -(2**31)]
    values = [*extreme, math.nan, math.inf, 1e30] if tensor.is_floating_point() else extreme
    place = data.draw(st.integers(0, tensor.numel() - 1))
    tensor.view(-1)[place] = data.draw(st.sampled_from(values))
    model = spec_of(specification(name)).build()
    try:
        model.load_state_dict(state)
    except FaultdiagError as error:
        assert name in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert isinstance(model, BaselineModel)
        rows = np.zeros((3, len(model.baseline.features)))
        with np.errstate(all="ignore"):
            assert model.baseline.probabilities(rows).shape == (3, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": None}, "damaged: model_spec.names: "),
        ({"names": {"channels": ["DE"]}}, "damaged: model_spec.names.classes: Field required"),
        ({"names": {"channels": ["DE"], "classes": ["N"]}}, "3 classes, but 1 and 1 are named"),
        ({"sampling_rate": "fast"}, "damaged: model_spec.sampling_rate: "),
        ({"sampling_rate": math.nan}, "damaged: model_spec.sampling_rate: "),
        ({"options": [1]}, "damaged: model_spec.options: "),
        ({"options": {"name": "x"}}, "baseline 'svm' has no option 'name'"),
        ({"options": {"bearing": "6999"}}, "unknown bearing '6999'"),
        ({"options": {"c": -1.0}}, "c is -1.0; "),
    ],
)
def test_a_description_that_lies(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(FaultdiagError, match=re.escape(message)):
        spec_of(specification("svm", **changes)).build()


def problems(name: str = "random_forest", length: int = 2048, **settings: Any) -> list[str]:
    given: dict[str, Any] = {"attention": None, "representation": "raw", "options": {}}
    return problems_of(name, ["DE"], length, **(given | settings))


@pytest.mark.parametrize("name", NAMES)
def test_defaults_have_no_problem(name: str) -> None:
    assert problems(name) == problems(name, 256) == []
    assert problems(name, representation={"name": "raw"}) == []


def test_all_problems_at_once_each_with_its_place() -> None:
    lines = problems(
        length=255,
        attention={"name": "eca", "after": [2]},
        representation="stft",
        options={"tres": 5, "leaf": 0, "use": ["tim"], "bearing": "6025"},
    )
    assert lines == [
        "model.tres: baseline 'random_forest' has no option 'tres' (did you mean 'trees'?); it "
        "has: bearing, leaf, trees, use",
        "model.leaf: baseline 'random_forest': leaf is 0; Input should be greater than or equal "
        "to 1",
        "model.use: baseline 'random_forest' is to use 'tim' (did you mean 'time'?), but the "
        "features are of: time, energy, impulse, envelope, whitened (envelope and whitened need "
        "the shaft speed and the bearing)",
        lines[3],
        "model.attention is given, but 'random_forest' is a baseline and has no place for it; "
        "leave it out (--set model.attention=null)",
        "model.representation is given, but 'random_forest' is a baseline and looks at features "
        "of the raw windows; leave it out (--set model.representation=raw)",
        "window.length is 255 samples; baseline 'random_forest' needs 256 or more",
    ]
    assert lines[3].startswith("model.bearing: unknown bearing '6025' (did you mean '6205'?)")


def test_the_dummy_looks_at_nothing_and_takes_nothing() -> None:
    assert problems("dummy", 8) == []
    (line,) = problems("dummy", options={"bearing": "6205"})
    assert line == "model.bearing: baseline 'dummy' has no option 'bearing'; it has: none"


@pytest.mark.parametrize(("bearing", "sound"), [(6205, True), ("9,0.3126,1.537", True)])
def test_a_bearing_by_number_or_geometry(bearing: Any, sound: bool) -> None:
    assert (problems(options={"bearing": bearing}) == []) is sound


@pytest.mark.parametrize("bearing", [True, [6205], 6205.5])
def test_a_bearing_of_another_type(bearing: Any) -> None:
    (line,) = problems(options={"bearing": bearing})
    assert line.startswith(f'model.bearing: bearing is {bearing!r}; write its name, such as "6205"')


def test_networks_and_baselines_are_told_apart() -> None:
    with pytest.raises(
        FaultdiagError, match=r"unknown network 'random_forst' \(did you mean 'random_forest'\?\)"
    ):
        models.build("random_forst", 1, 3, length=2048)
    with pytest.raises(FaultdiagError, match=r"'svm' is a baseline, no network: name it in a con"):
        models.build("svm", 1, 3, length=2048)
