"""What a network says of a window doesn't depend on the others in its batch, nor on its place."""

import pytest
import torch

from faultdiag import attention, models, representations
from faultdiag.models.layers import facts_for

SIZE, LENGTH = 32, 2048
CASES = {
    **{name: {"name": name} for name in models.NETWORKS},
    **{
        f"block {name}": {
            "name": "wdcnn",
            "attention": {"name": name, "after": [2], "residual": name != "none"},
        }
        for name in attention.BLOCKS
    },
    **{
        f"representation {name}": {"name": "cnn1d", "representation": {"name": name}}
        for name in representations.REPRESENTATIONS
        if name not in {"vmd", "fault_order_combs"}  # the latter is in front of tied_z
    },
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_window_alone_counts(case: dict[str, object]) -> None:
    torch.manual_seed(0)
    options = dict(case)
    name = str(options.pop("name"))
    options["sampling_rate"] = 12_000.0
    network = models.build(name, 1, 4, length=LENGTH, **options).eval()  # type: ignore[arg-type]
    speed = facts_for(network, torch.tensor([[30.0, 3.6, 5.4, 2.4, 0.4]] * SIZE))
    x = torch.randn(SIZE, 1, LENGTH)
    with torch.inference_mode():
        found = network(x, *speed)
        for shift in (1, 5, 17):
            places = (torch.arange(SIZE) + shift) % SIZE
            assert torch.equal(network(x[places], *speed), found[places])
        others = torch.cat([x[:9], torch.randn(SIZE - 9, 1, LENGTH)])
        assert torch.equal(network(others, *speed)[:9], found[:9])
