"""``--set``: one value put into plain data, or a message that says why not."""

from typing import Any

import pytest

from faultdiag.config.load import override
from faultdiag.errors import FaultdiagError
from faultdiag.system import files

FILE = """
seed: 5
data: {channels: [DE, FE], select: null}
window: {length: 64, stride: 8}
model: {attention: []}
"""


def overridden(*settings: str, text: str = FILE) -> Any:
    data = files.parse(text, "my.yaml")
    for setting in settings:
        override(data, setting)
    return data


def at(data: Any, path: str) -> Any:
    for key in path.split("."):
        data = data[int(key) if isinstance(data, list) else key]
    return data


@pytest.mark.parametrize(
    ("setting", "path", "value"),
    [
        ("seed=7", "seed", 7),
        (" window . length = 128", "window.length", 128),
        ("train.learning_rate=1e-3", "train.learning_rate", 0.001),
        ("train.threads=null", "train.threads", None),
        ("train.threads=", "train.threads", None),
        ("data.label=a=b", "data.label", "a=b"),
        ("data.label='{code}'", "data.label", "{code}"),
        ("data.select.size=007", "data.select.size", "007"),
        ("data.select={size: [null, '007']}", "data.select.size", [None, "007"]),
        ("data.channels=[BA]", "data.channels", ["BA"]),
        ("data.channels.1=BA", "data.channels", ["DE", "BA"]),
        ("model.attention={name: se}", "model.attention.name", "se"),
        ("a.b.c.d=1", "a.b.c.d", 1),
        ("window=null", "window", None),
    ],
)
def test_a_value_is_put_at_its_path_and_the_rest_stays(setting: str, path: str, value: Any) -> None:
    data = overridden(setting)
    assert at(data, path) == value
    before, changed = overridden(), path.partition(".")[0]
    assert {k: v for k, v in data.items() if k != changed} == {
        k: v for k, v in before.items() if k != changed
    }


def test_inside_a_list() -> None:
    text = "model: {attention: [{name: eca, after: [1, 2]}, {name: se}]}"
    data = overridden("model.attention.1.name=ca", "model.attention.0.after.1=3", text=text)
    assert data["model"]["attention"] == [{"name": "eca", "after": [1, 3]}, {"name": "ca"}]


def test_later_settings_win_and_sections_grow() -> None:
    data = overridden("train.epochs=1", "train.l2=0", "train.epochs=2")
    assert data["train"] == {"epochs": 2, "l2": 0}


def test_the_other_places_of_an_anchor_stay_as_they_are() -> None:
    text = "model: {attention: [&slot {name: eca, after: [1]}, *slot]}"
    data = overridden("model.attention.0.after.0=2", text=text)
    assert data["model"]["attention"] == [
        {"name": "eca", "after": [2]},
        {"name": "eca", "after": [1]},
    ]


@pytest.mark.parametrize("setting", ["train.epochs", "=5", ".epochs=5", "train.=5", "a. .b=1", ""])
def test_another_form(setting: str) -> None:
    with pytest.raises(FaultdiagError) as caught:
        overridden(setting)
    assert str(caught.value) == f"--set {setting}: write it as --set train.epochs=5"


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("seed.x=1", "'seed' is 5 and has no keys"),
        ("data.channels.0.x=1", "'0' is 'DE' and has no keys"),
        ("data.channels.FE=1", "'FE' stands where a list of 2 is; use an index from 0 to 1"),
        ("data.channels.2=X", "'2' stands where a list of 2 is; use an index from 0 to 1"),
        ("data.channels.-1=X", "'-1' stands where a list of 2 is; use an index from 0 to 1"),
        ("data.channels.9.x=1", "'9' stands where a list of 2 is; use an index from 0 to 1"),
        ("model.attention.name=se", "'name' stands where a list of 0 is; set the whole list"),
        ("model.attention.²=se", "'²' stands where a list of 0 is; set the whole list"),
    ],
)
def test_a_path_that_leads_nowhere(setting: str, expected: str) -> None:
    with pytest.raises(FaultdiagError) as caught:
        overridden(setting)
    assert str(caught.value) == f"--set {setting}: {expected}"


def test_text_that_is_no_yaml() -> None:
    with pytest.raises(FaultdiagError) as caught:
        overridden("data.label={code}{size}")
    assert str(caught.value) == (
        "--set data.label={code}{size}, line 1 is not YAML: expected '<document start>', but found "
        "'{'; put text in quotes: --set 'data.label=\"…\"'"
    )
