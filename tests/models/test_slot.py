"""Attention slots: what they refuse, where they stand, what they compute."""

from typing import Any

import pytest
import torch

from faultdiag import attention, models
from faultdiag.errors import FaultdiagError
from faultdiag.models.layers import AttentionSlot, Slots
from faultdiag.models.spec import Slot, parse_slots
from faultdiag.models.zoo import defaults, network
from tests.models.networks import LENGTH, build, eca, inputs, perturb, windows

KNOWN = ", ".join(sorted(attention.BLOCKS))


def problems(specification: Any) -> list[str]:
    return parse_slots(specification, 5, "wdcnn")[1]


def test_none_is_no_slot() -> None:
    assert parse_slots(None, 5, "wdcnn") == ([], [])


def test_one_mapping_is_one_slot() -> None:
    slots, found = parse_slots({"name": "eca", "after": 2, "kernel_size": 5}, 5, "wdcnn")
    assert slots == [Slot("eca", (2,), options={"kernel_size": 5})]
    assert found == []


def test_a_list_is_many_slots_with_their_places() -> None:
    given = [{"name": "eca", "after": [1, 3], "residual": True}, {"name": "se", "after": 2}]
    slots, found = parse_slots(given, 5, "wdcnn")
    assert [(s.name, s.after, s.residual, s.place) for s in slots] == [
        ("eca", (1, 3), True, "model.attention.0"),
        ("se", (2,), False, "model.attention.1"),
    ]
    assert found == []


@pytest.mark.parametrize(
    ("specification", "message"),
    [
        ("eca", "model.attention is 'eca'; give name and after, or a list of such slots"),
        ([3], "model.attention.0 is 3; give name and after"),
        ({"after": 1}, f"model.attention.name is missing; known: {KNOWN}"),
        (
            {"name": "ecaa", "after": 1},
            "model.attention.name: unknown attention block 'ecaa' (did you mean 'eca'?); "
            f"known: {KNOWN}",
        ),
        ({"name": "eca"}, "model.attention.after is missing; wdcnn has blocks 1 to 5"),
        ({"name": "eca", "after": 9}, "model.attention.after is 9; wdcnn has blocks 1 to 5"),
        ({"name": "eca", "after": 0}, "model.attention.after is 0; wdcnn has blocks 1 to 5"),
        ({"name": "eca", "after": "2"}, "model.attention.after is '2'; wdcnn has blocks 1 to 5"),
        ({"name": "eca", "after": True}, "model.attention.after is True; wdcnn has blocks 1 to 5"),
        ({"name": "eca", "after": []}, "model.attention.after is empty; wdcnn has blocks 1 to 5"),
        (
            {"name": "eca", "after": [2, 1, 2]},
            "model.attention.after has 2 more than once; name each block once",
        ),
        (
            [{"name": "eca", "after": [1, 2]}, {"name": "se", "after": 2}],
            "model.attention.1.after is 2, where model.attention.0 already stands",
        ),
        (
            {"name": "eca", "after": 1, "residual": "yes"},
            "model.attention.residual is 'yes'; give true or false",
        ),
        (
            {"name": "none", "after": 1, "residual": True},
            "model.attention.residual is true for 'none', which would only double x; leave it out",
        ),
        (
            {"name": "eca", "after": 1, "kernal_size": 3},
            "model.attention.kernal_size: attention block 'eca' has no option 'kernal_size' "
            "(did you mean 'kernel_size'?); it has: bias, kernel_size",
        ),
        (
            {"name": "emca", "after": 1, "previous_channels": [16]},
            "model.attention.previous_channels: is set by the network; leave it out",
        ),
    ],
)
def test_a_problem_is_told_by_its_place(specification: Any, message: str) -> None:
    assert problems(specification) == [message]


def test_an_option_of_another_type_is_told_with_its_value() -> None:
    (message,) = problems({"name": "eca", "after": 1, "kernel_size": "wide"})
    assert message.startswith("model.attention.kernel_size: attention block 'eca': kernel_size is")
    assert "'wide'" in message


def test_all_problems_are_told_at_once() -> None:
    given = [{"name": "ecaa", "after": 9, "residual": 1}, {"name": "se", "after": 1, "x": 1}, {}]
    starts = [message.split(" ")[0].rstrip(":") for message in problems(given)]
    assert starts == [
        "model.attention.0.name",
        "model.attention.0.after",
        "model.attention.0.residual",
        "model.attention.1.x",
        "model.attention.2.name",
        "model.attention.2.after",
    ]


def test_blocks_that_refuse_their_channels_are_told_together() -> None:
    given = [
        {"name": "eca", "after": [1, 2], "kernel_size": 4},
        {"name": "se", "after": 3, "reduction": 1000},
    ]
    with pytest.raises(FaultdiagError) as error:
        models.build("wdcnn", 1, 4, length=LENGTH, attention=given)
    lines = str(error.value).splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "model.attention.0 after block 1",
        "model.attention.0 after block 2",
        "model.attention.1 after block 3",
    ]
    assert "kernel_size is 4 but must be odd" in lines[0]
    assert "reduction is 1000 at 64 channels" in lines[2]


def test_residual_adds_the_input() -> None:
    torch.manual_seed(0)
    block = attention.build("eca", 8)
    x = windows(2, 8, 16)
    gate = block(x) / x
    found = AttentionSlot(block, residual=True)(x, [])
    torch.testing.assert_close(found, x * (1 + gate))
    assert torch.equal(AttentionSlot(block, residual=False)(x, []), block(x))


def test_a_place_without_a_slot_changes_nothing() -> None:
    slots = Slots([Slot("eca", (2,))], (8, 8))
    x = windows(2, 8, 16)
    assert slots(1, x, []) is x
    assert slots(2, x, []) is not x


@pytest.mark.parametrize("name", list(models.NETWORKS))
def test_every_position_of_every_network_takes_a_slot(name: str) -> None:
    settings = {"name": "eca", "after": 1}
    plain = build(name)
    x = inputs(name)
    shared, without = plain.state_dict(), plain(x)
    count = network(name).positions(**defaults(name))
    for position in range(1, count + 1):
        net = build(name, attention=settings | {"after": position})
        missing = net.load_state_dict(shared, strict=False).missing_keys
        assert missing == [f"attention.at.{position}.block.conv.weight"]
        assert (net(x) - without).abs().max() > 1e-5


@pytest.mark.parametrize("name", list(models.NETWORKS))
def test_no_attention_is_the_network_itself(name: str) -> None:
    net = build(name, attention={"name": "none", "after": eca(name)["after"]})
    assert torch.equal(net(inputs(name)), build(name)(inputs(name)))


def test_earlier_stages_reach_a_block_that_uses_them() -> None:
    net = build("wdcnn", attention={"name": "emca", "after": [1, 3]})
    seen: list[list[torch.Tensor]] = []
    net.attention.at["3"].register_forward_pre_hook(lambda _, given: seen.append(given[1]))
    net(windows())
    x = windows()
    for block, slot in ((net.blocks[0], net.attention.at["1"]), (net.blocks[1], None)):
        x = slot(block(x), []) if slot else block(x)
        torch.testing.assert_close(seen[0].pop(0), x.mean(-1))
    assert seen == [[]]


def test_nothing_is_remembered_where_no_block_uses_it() -> None:
    slots = Slots([Slot("eca", (1,))], (8, 8))
    assert slots.remember([], windows(2, 8, 16)) == []


def test_residual_network_shows_its_stem_and_stages() -> None:
    net = build("resnet1d", attention={"name": "emca", "after": [2, 3, 8]})
    widths = [net.attention.at[at].block.previous_channels for at in ("2", "3", "8")]
    assert widths == [(32,), (32, 32), (32, 32, 64, 128)]
    assert perturb(net)(windows()).isfinite().all()


def test_residual_network_attends_before_the_addition() -> None:
    net = build("resnet1d", attention={"name": "eca", "after": 1})
    block, slot = net.blocks[0], net.attention.at["1"]
    x = windows(2, 32, 20).unsqueeze(2)
    branch = block.norm2(block.conv2(torch.relu(block.norm1(block.conv1(x)))))
    expected = torch.relu(x + slot(branch.squeeze(2), []).unsqueeze(2))
    torch.testing.assert_close(block(x, lambda y: slot(y, [])), expected)
