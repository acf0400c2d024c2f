"""What is said before training: of the recordings, of the network, of what would stop it."""

from pathlib import Path

import pytest

from faultdiag.api.check import check_config
from faultdiag.errors import FaultdiagError
from faultdiag.training.specs import resolve_spec
from tests.data_fixtures import tiny_config


def test_a_check_of_everything(recordings: Path, prepared_root: Path) -> None:
    select = {"number": [97, 98, 105, 118]}
    text = check_config(tiny_config(recordings, prepared_root, data__select=select))
    assert "\nnot in the folder: 98 (normal, 1 hp)\n" in text
    assert "3 classes (recordings): B (1), IR (1), N (1)" in text
    assert "sampling rate 12000 Hz, channels DE, windows of 256 samples (0.0213 s)" in text
    # 4 * 1 * 7 + 4 + 8 and 8 * 4 * 7 + 8 + 16 of the blocks, 8 * 3 + 3 of the classifier.
    assert "network cnn1d: 315 parameters; one batch of 8 windows gave logits (8, 3)" in text
    assert (
        "\nsampling rates against shaft orders: 0 consistent, 0 contradicted, 3 undecided "
        "(97, 105, 118)\n" in text
    )
    assert text.endswith("\nready to train")


def test_a_network_that_cannot_be_built_is_told_before_any_data_is_read(tmp_path: Path) -> None:
    config = tiny_config(tmp_path / "nowhere", tmp_path, model__name="cnn2d")
    with pytest.raises(FaultdiagError, match=r"model\.name: unknown network 'cnn2d' \(did you"):
        check_config(config)


def test_all_problems_of_a_network_are_told(tmp_path: Path) -> None:
    config = tiny_config(
        tmp_path,
        tmp_path,
        model__widths=[0],
        model__attention={"name": "sse", "after": [9]},
        window__length=8,
    )
    with pytest.raises(FaultdiagError) as error:
        resolve_spec(config)
    for problem in ("model.widths", "unknown attention block 'sse'", "model.attention.after is 9"):
        assert problem in str(error.value)
