"""The section ``protocol``: what it takes, and everything that is said of what it doesn't."""

import re
from typing import Any

import pytest

from faultdiag.protocol.section import NOISE, read_section


def test_an_absent_section_has_defaults() -> None:
    section, problems = read_section(None)
    assert problems == []
    assert section is not None
    assert section.seeds_from(3) == [3, 4, 5, 6, 7]
    assert section.noise == list(NOISE) == [-4, -2, 0, 2, 4, 6, 8, 10]
    assert section.models is section.protocols is section.attention is section.noise_on is None


def test_seeds_as_a_number_as_a_list_and_from_the_command_line() -> None:
    for given, expected in ((2, [10, 11]), ([4, 1], [4, 1])):
        section, _ = read_section({"seeds": given})
        assert section is not None
        assert section.seeds_from(10) == expected
        assert section.seeds_from(10, 3) == [10, 11, 12]


def test_a_model_that_changes_nothing_and_noise_that_is_none() -> None:
    section, problems = read_section({"models": {"as it is": None}, "noise": None})
    assert problems == []
    assert section is not None
    assert section.models == {"as it is": {}}
    assert section.noise == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"sedes": 3},
            "protocol.sedes: unknown key (did you mean 'seeds'?); known: seeds, models,",
        ),
        ({"seeds": 0}, "protocol.seeds: found 0; write how many, such as 5, or a list"),
        ({"seeds": True}, "protocol.seeds: found True; write how many"),
        ({"seeds": [1, 1]}, "protocol.seeds: found [1, 1]; name each seed only once"),
        ({"models": {}}, "protocol.models: found {}; write names with what each changes"),
        ({"models": ["wdcnn"]}, "protocol.models: found ['wdcnn']; write names"),
        ({"models": {"A": "wdcnn"}}, "protocol.models: A is 'wdcnn'; write what it changes"),
        ({"models": {" ": {}}}, "protocol.models: found a name that is empty"),
        (
            {"models": {"A": {"modle": {"name": "wdcnn"}}}},
            "protocol.models.A.modle: one of the models can't change that (did you mean 'model'?); "
            "it can change: model, window, normalize, train, data.channels, data.sampling_rate",
        ),
        ({"models": {"A": {"data": {"label": "x"}}}}, "protocol.models.A.data.label: one of the m"),
        ({"models": {"A": {"split": {}}}}, "protocol.models.A.split: one of the models can't"),
        (
            {"protocols": {"p": {"seed": 1}}},
            "protocol.protocols.p.seed: one of the protocols can't",
        ),
        ({"protocols": {"p": {"model": {}}}}, "protocol.protocols.p.model: one of the protocols"),
        ({"attention": {"name": "eca"}}, "protocol.attention: found {'name': 'eca'}; write a list"),
        ({"attention": []}, "protocol.attention: found []; write a list of slots"),
        (
            {"attention": [None, None]},
            "protocol.attention: found [None, None]; name each only once",
        ),
        (
            {"representations": "raw"},
            "protocol.representations: found 'raw'; write a list, such as",
        ),
        ({"noise": 3}, "protocol.noise: found 3; write levels in dB, such as [-4, 0, 4]"),
        ({"noise": [float("nan")]}, "protocol.noise: found [nan]; write levels"),
        ({"noise": [1, 1]}, "protocol.noise: found [1, 1]; name each only once"),
        (
            {"noise_kinds": ["pinc"]},
            "protocol.noise_kinds: unknown noise 'pinc' (did you mean 'pink'?); known: ",
        ),
        (
            {"noise_kinds": []},
            "protocol.noise_kinds: found []; write a list of kinds, such as [white, pink]",
        ),
        ({"noise_on": "within"}, "protocol.noise_on: found 'within'; write a list of names"),
        ([1], "protocol is [1]; write a mapping with some of: seeds, models, attention"),
    ],
)
def test_what_it_refuses(given: Any, message: str) -> None:
    section, problems = read_section(given)
    assert section is None
    assert len(problems) == 1
    assert re.match(re.escape(message), problems[0]), problems[0]


def test_all_problems_are_told_at_once() -> None:
    _, problems = read_section({"seeds": 0, "noise": "loud", "modles": {}})
    assert [problem.split(":")[0] for problem in problems] == [
        "protocol.seeds",
        "protocol.noise",
        "protocol.modles",
    ]
