"""A baseline in the place of a network: the same numbers, stored whole, and files that lie."""

import io
import json
import math
import re
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
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
from faultdiag.signal.bearings import conditions, get_bearing

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
    """Return the shared one, which no test changes."""
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
    """Return the state dict after a trip through a file of tensors alone."""
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
    assert again.baseline.content == model.baseline.content
    assert models.needs_speed(again) == (name != "dummy")


def test_what_was_stored_does_not_change_with_the_model() -> None:
    model = spec_of(specification("dummy")).build()
    state = fitted("dummy").state_dict()
    model.load_state_dict(state)
    state["skops"].fill_(7)
    assert model(windows(1)).exp().sum() == pytest.approx(1)
    assert fitted("dummy")(windows(1)).exp().sum() == pytest.approx(1)


def test_inside_another_module_it_is_stored_under_its_name() -> None:
    outer = torch.nn.ModuleDict({"inner": fitted("logistic")})
    state = outer.state_dict()
    assert set(state) == {"inner.skops"}
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


def test_each_window_at_the_orders_of_its_own_bearing() -> None:
    """Windows of two bearings in one batch have the features that each has alone."""
    bearings = [get_bearing("6205"), get_bearing("6203")]
    known = torch.tensor([conditions(1780.0 + 7 * n, bearings[n % 2]) for n in range(24)])
    model = build_baseline("svm", ["DE"], CLASSES, sampling_rate=RATE, bearing="each")
    assert models.needs_speed(model)
    assert models.needs_bearing(model)
    table = model.features(windows(), known.double())
    rates = known[:, 0].double().numpy()
    for number, bearing in enumerate(bearings):
        own = slice(number, None, 2)
        alone = extract.compute(
            windows()[own].numpy(), RATE, shaft_rates=rates[own], bearing=bearing
        )
        np.testing.assert_allclose(table[own], alone, rtol=1e-5, atol=1e-5)
    assert model.features(windows(0), known[:0]).shape == (0, table.shape[1])


def test_a_speed_that_is_lacking() -> None:
    with pytest.raises(FaultdiagError, match=r"'svm' looks at shaft orders and was given no shaft"):
        fitted("svm")(windows())


def members(name: str) -> dict[str, bytes]:
    """The files within what a fitted baseline stores."""
    with zipfile.ZipFile(io.BytesIO(fitted(name).baseline.content)) as file:
        return {member: file.read(member) for member in file.namelist()}


def rewritten(parts: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> dict[str, Any]:
    """A state dict of the files, as `members` lists them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for member, data in parts.items():
            file.writestr(member, data)
    return {"skops": torch.frombuffer(bytearray(buffer.getvalue()), dtype=torch.uint8)}


def nodes_of(schema: Any, key: str) -> list[dict[str, Any]]:
    """Every node of a schema of skops that is the value of `key`."""
    pairs = schema.items() if isinstance(schema, dict) else enumerate(schema)
    nodes = []
    for name, child in pairs:
        if isinstance(child, dict | list):
            nodes += [child] if name == key and isinstance(child, dict) else []
            nodes += nodes_of(child, key)
    return nodes


def tampered(name: str, key: str, change: Callable[[Any], Any]) -> dict[str, Any]:
    """The state with the first attribute of this name changed."""
    parts = members(name)
    schema = json.loads(parts["schema.json"])
    node = nodes_of(schema, key)[0]
    if "file" in node:
        array = np.load(io.BytesIO(parts[node["file"]]))
        buffer = io.BytesIO()
        np.save(buffer, change(array))
        return rewritten({**parts, node["file"]: buffer.getvalue()})
    node["content"] = json.dumps(change(json.loads(node["content"])))
    return rewritten({**parts, "schema.json": json.dumps(schema).encode()})


def first(value: float, field: str | None = None) -> Callable[[Any], Any]:
    """Return a change of the first number of an array, or of a field of it."""

    def change(array: Any) -> Any:
        (array if field is None else array[field]).flat[0] = value
        return array

    return change


@dataclass
class Lie:
    """What is changed in the file of a baseline, and what is said of it."""

    name: str
    key: str
    change: Callable[[Any], Any]
    message: str


LIES = [
    Lie("dummy", "class_prior_", first(0.9), "it computes no probabilities of 3 classes"),
    Lie("dummy", "class_prior_", first(math.nan), "it holds NaN or infinity"),
    Lie("dummy", "class_prior_", lambda a: a[:2], "it computes no probabilities of 3 classes"),
    Lie("dummy", "classes_", first(1), "its classes must be increasing indices of 3"),
    Lie("dummy", "classes_", first(-1), "its classes must be increasing indices of 3"),
    Lie("dummy", "classes_", lambda a: a + 1, "its classes must be increasing indices of 3"),
    Lie("dummy", "classes_", lambda a: a.astype(float), "its classes must be increasing"),
    Lie("logistic", "coef_", lambda a: a[:, 1:], "mismatch in its core dimension"),
    Lie("logistic", "coef_", first(math.inf), "it holds NaN or infinity"),
    Lie("logistic", "mean_", lambda a: a[1:], "could not be broadcast"),
    Lie("logistic", "classes_", lambda a: a[:1], "it has 1 class;"),
    Lie("svm", "support_vectors_", lambda a: a[1:], "support vectors are not those of 3 classes"),
    Lie("svm", "support_vectors_", lambda a: a[:, 1:], "its support_vectors_ has the shape"),
    Lie("svm", "_n_support", first(-5), "support vectors are not those of 3 classes"),
    Lie("svm", "_n_support", lambda a: a[:2], "support vectors are not those of 3 classes"),
    Lie("svm", "support_", lambda a: a[1:], "its support_ has the shape"),
    Lie("svm", "_dual_coef_", lambda a: a[:1], "its _dual_coef_ has the shape"),
    Lie("svm", "_intercept_", lambda a: a[:2], "its _intercept_ has the shape (2,), expected (3,"),
    Lie("svm", "_probA", lambda a: np.zeros(1), "are of another kind of machine"),
    Lie("svm", "kernel", lambda _: "precomputed", "are of another kind of machine"),
    Lie("random_forest", "nodes", first(math.nan, "threshold"), "it holds NaN or infinity"),
    Lie("random_forest", "nodes", first(2**31, "left_child"), "its nodes do not form trees"),
    Lie("random_forest", "nodes", first(-3, "left_child"), "its nodes do not form trees"),
    Lie("random_forest", "nodes", first(0, "right_child"), "its nodes do not form trees"),
    Lie("random_forest", "nodes", first(39, "feature"), "a column beyond the 39 in use"),
    Lie("random_forest", "nodes", first(-1, "feature"), "a column beyond the 39 in use"),
    Lie("random_forest", "nodes", lambda a: a[:1], "is damaged: "),
    Lie("random_forest", "values", first(-3), "its leaves are not shares of 3 classes"),
    Lie("random_forest", "values", first(3), "its leaves do not sum to 1"),
    Lie(
        "random_forest", "_sklearn_version", lambda _: "0.20.1", "was fitted with scikit-learn 0.20"
    ),
]


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: f"{lie.name}-{lie.key}")
def test_a_file_that_lies_gives_one_error(lie: Lie) -> None:
    model = spec_of(specification(lie.name)).build()
    with pytest.raises(FaultdiagError, match=re.escape(lie.message)) as raised:
        model.load_state_dict(tampered(lie.name, lie.key, lie.change))
    assert str(raised.value).startswith(f"the stored baseline '{lie.name}': ")
    assert str(raised.value).endswith("train again")


@pytest.mark.parametrize("name", NAMES)
def test_states_of_an_earlier_version_ask_to_train_again(name: str) -> None:
    model = spec_of(specification(name)).build()
    earlier = {"present": torch.arange(3), "shares": torch.full((3,), 1 / 3)}
    for state in ({}, earlier):
        with pytest.raises(
            FaultdiagError,
            match=f"^baseline '{name}' was stored by an earlier version .*; train again$",
        ):
            model.load_state_dict(state)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "its skops are no bytes"),
        (torch.zeros(3), "its skops are no bytes"),
        (torch.zeros(0, dtype=torch.uint8), "File is not a zip file"),
        (torch.zeros(99, dtype=torch.uint8), "File is not a zip file"),
    ],
)
def test_what_is_no_skops_file(content: Any, message: str) -> None:
    model = spec_of(specification("svm")).build()
    with pytest.raises(
        FaultdiagError, match=rf"^the stored baseline 'svm'.* is damaged: {message}"
    ):
        model.load_state_dict({"skops": content})


def test_a_file_that_unpacks_to_more_than_its_size() -> None:
    model = spec_of(specification("logistic")).build()
    with pytest.raises(FaultdiagError, match="is damaged: its parts are compressed; take another"):
        model.load_state_dict(rewritten(members("logistic"), zipfile.ZIP_DEFLATED))


def test_a_type_that_no_fit_stores_is_never_built(tmp_path: Path) -> None:
    parts = members("logistic")
    schema = json.loads(parts["schema.json"])
    witness = tmp_path / "written"
    evil = nodes_of(schema, "intercept_")[0]
    evil.clear()
    evil.update(
        {"__class__": "Path", "__module__": "pathlib", "__loader__": "ObjectNode", "__id__": 7},
        content={
            "__class__": "dict",
            "__module__": "builtins",
            "__loader__": "DictNode",
            "content": {"x": str(witness)},
            "key_types": [],
            "__id__": 8,
        },
    )
    model = spec_of(specification("logistic")).build()
    with pytest.raises(FaultdiagError, match=r"it holds the types pathlib\.Path, which no fit"):
        model.load_state_dict(rewritten({**parts, "schema.json": json.dumps(schema).encode()}))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_whatever_the_numbers_it_is_used_or_refused(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES))
    parts = members(name)
    member = data.draw(st.sampled_from(sorted(parts)))
    content = bytearray(parts[member])
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = data.draw(st.integers(0, 255))
    model = spec_of(specification(name)).build()
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.load_state_dict(rewritten({**parts, member: bytes(content)}))
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
