"""What the lists show is what the components are."""

import json
import subprocess
import sys

import pytest

from faultdiag.api import lists
from faultdiag.attention import BLOCKS
from tests.commands import done


def test_the_stored_facts_are_those_that_are_computed() -> None:
    assert lists.stored_facts() == lists.computed_facts(), "run scripts/list_figures.py"


def test_listing_needs_no_torch() -> None:
    code = (
        "import sys; from faultdiag.api.lists import block_facts, model_facts; "
        "assert model_facts() and block_facts(); print('torch' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"


def test_a_registered_block_is_listed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BLOCKS, "_registered", {})
    BLOCKS.register("mine", BLOCKS.get("eca"))
    rows = json.loads(done("attention", "--json"))
    assert rows[-1]["name"] == "mine"
    assert rows[-1]["parameters"]["64"] == 3
