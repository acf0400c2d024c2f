"""One self-describing file per model: what is in it, and what else is refused."""

import math
import pickle
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faultdiag import checkpoint
from faultdiag.checkpoint import Checkpoint, load, resolve, save
from faultdiag.errors import FaultdiagError
from tests.data_fixtures import contents, full_disk

KEYS = {
    *("format", "model", "model_spec", "classes", "healthy", "sampling_rate", "channels"),
    *("window", "normalize", "config", "epoch", "metrics", "calibration", "versions"),
}


def read(path: Path) -> dict[str, Any]:
    return dict(torch.load(path, weights_only=True))


@pytest.fixture
def best(trained: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copy(trained / "best.pt", tmp_path / "best.pt"))


def change(path: Path, **values: Any) -> None:
    document = read(path) | values
    torch.save({key: value for key, value in document.items() if value is not ...}, path)


def test_it_holds_what_prediction_needs_and_nothing_else(trained: Path) -> None:
    best, last = read(trained / "best.pt"), read(trained / "last.pt")
    assert set(best) == KEYS
    assert set(last) == KEYS | {"training"}
    assert set(last["training"]) == {
        *("optimizer", "history", "best_epoch", "steps", "random", "random_cuda"),
        "adaptation",
    }
    assert best["format"] == 1
    assert best["classes"] == ["B", "IR", "N"]
    assert best["healthy"] == ["N"]
    assert best["channels"] == ["DE"]
    assert best["sampling_rate"] == 12_000
    assert best["window"] == {
        "length": 256,
        "stride": 128,
        "per_class": None,
        "test_stride": 256,
    }
    assert best["calibration"].keys() == {"temperature", "novelty", "fitted_on", "healthy"}
    assert best["calibration"]["temperature"] == 1.0
    assert best["normalize"] == {"name": "window_zscore", "state": {}}
    assert best["model_spec"] == {
        "name": "cnn1d",
        "channels": 1,
        "classes": 3,
        "length": 256,
        "attention": None,
        "representation": "raw",
        "sampling_rate": 12_000,
        "options": {"widths": [4, 8], "kernels": [7]},
    }
    assert set(best["config"]) == {
        *("seed", "data", "window", "split", "normalize", "model", "train", "transfer"),
    }
    assert set(best["versions"]) == {
        "python",
        "faultdiag",
        "torch",
        "numpy",
        "scipy",
        "scikit-learn",
    }
    assert best["metrics"]["epoch"] == best["epoch"]


def plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str | int) and plain(item) for key, item in value.items())
    if isinstance(value, list):
        return all(plain(item) for item in value)
    return value is None or type(value) in {str, int, float, bool, torch.Tensor}


@pytest.mark.parametrize("name", ["best.pt", "last.pt"])
def test_only_plain_types_and_tensors(name: str, trained: Path) -> None:
    assert plain(read(trained / name))


def test_it_builds_the_network_it_was_saved_from(trained: Path) -> None:
    source = load(trained)
    network = source.build(torch.device("cpu"))
    assert not network.training
    weights = network.state_dict()
    assert weights.keys() == source.model.keys()
    for name, tensor in source.model.items():
        assert torch.equal(weights[name], tensor), name
    assert source.length == 256
    assert source.precision == "float32"


def test_a_checkpoint_survives_saving(trained: Path, tmp_path: Path) -> None:
    before = load(trained / "last.pt")
    save(tmp_path / "copy.pt", before)
    after = load(tmp_path / "copy.pt")
    assert after.training is not None
    assert after.training.keys() == (before.training or {}).keys()
    for name in KEYS - {"format", "model", "calibration"}:
        assert getattr(after, name) == getattr(before, name), name
    assert after.temperature == before.temperature
    assert before.novelty is not None
    assert before.novelty.same(after.novelty)
    assert all(torch.equal(after.model[name], tensor) for name, tensor in before.model.items())


def test_a_checkpoint_of_before_there_was_calibration(best: Path) -> None:
    change(best, calibration=...)
    assert load(best).temperature == 1.0
    change(best, calibration={"temperature": 2.5, "of a later version": 1})
    assert load(best).temperature == 2.5


@pytest.mark.parametrize(
    "found", [{"temperature": 0.0}, {"temperature": -1}, {"temperature": math.inf}, {}, [2.0], "2"]
)
def test_a_temperature_that_is_none(found: Any, best: Path) -> None:
    change(best, calibration=found)
    value = found.get("temperature") if isinstance(found, dict) else found
    with pytest.raises(
        FaultdiagError,
        match=rf"best\.pt has the calibration temperature {re.escape(repr(value))}, which must "
        r"be a number above 0; take another copy, or train again",
    ):
        load(best)


def test_a_run_folder_means_its_best(trained: Path) -> None:
    assert resolve(trained) == trained / "best.pt"
    assert resolve(trained / "last.pt") == trained / "last.pt"
    assert load(trained).epoch == load(trained / "best.pt").epoch


def test_nothing_at_that_path(tmp_path: Path) -> None:
    with pytest.raises(
        FaultdiagError, match=r"none does not exist; give a run folder or a checkpoint file"
    ):
        load(tmp_path / "none")


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(
        FaultdiagError,
        match=r"is no run folder: it has no best\.pt; give the folder that `faultdiag train` "
        r"printed, or a checkpoint file",
    ):
        load(tmp_path)


DAMAGED = r"best\.pt is no faultdiag checkpoint: it is damaged, cut off or another kind of file"


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"\x80\x02}q\x00.", np.random.default_rng(0).bytes(5000), b"PK\x03\x04" * 50],
    ids=["empty", "text", "pickle", "noise", "zip"],
)
def test_a_file_of_something_else(content: bytes, best: Path) -> None:
    best.write_bytes(content)
    with pytest.raises(FaultdiagError, match=DAMAGED):
        load(best)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.99])
def test_a_file_cut_off(share: float, best: Path) -> None:
    whole = best.read_bytes()
    best.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(FaultdiagError, match=DAMAGED):
        load(best)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1)
)
def test_whatever_is_changed_in_the_file_a_load_gives_a_checkpoint_or_says_no(
    changes: list[tuple[float, int]], best: Path, trained: Path
) -> None:
    with zipfile.ZipFile(trained / "best.pt") as archive:
        members = {name: bytearray(archive.read(name)) for name in archive.namelist()}
    pickled = next(data for name, data in members.items() if name.endswith("data.pkl"))
    for place, value in changes:
        pickled[int(place * len(pickled))] = value
    with zipfile.ZipFile(best, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, bytes(data))
    try:
        found = load(best)
    except FaultdiagError as error:
        assert str(error).startswith(str(best))  # noqa: PT017 - either outcome is right
    else:
        assert isinstance(found, Checkpoint)


@pytest.mark.parametrize("document", [{"state_dict": {}}, [1, 2], torch.zeros(3)])
def test_a_torch_file_of_something_else(document: Any, best: Path) -> None:
    torch.save(document, best)
    with pytest.raises(
        FaultdiagError,
        match=r"is a torch file but no faultdiag checkpoint; give a run folder, or best\.pt or "
        r"last\.pt of one",
    ):
        load(best)


@pytest.mark.parametrize("found", [2, "1", None, torch.ones(2)])
def test_another_format(found: Any, best: Path) -> None:
    change(best, format=found)
    with pytest.raises(
        FaultdiagError,
        match=re.escape(f"has the checkpoint format {found}, this version of faultdiag reads 1; "),
    ):
        load(best)


def test_a_checkpoint_that_lacks_something(best: Path) -> None:
    change(best, classes=..., window=..., epoch="three")
    with pytest.raises(
        FaultdiagError,
        match=r"best\.pt is an incomplete checkpoint: it lacks classes, window, epoch$",
    ):
        load(best)


def test_what_a_later_version_adds_is_passed_over(best: Path, trained: Path) -> None:
    change(best, calibration={"temperature": 1.5})
    assert load(best).classes == load(trained).classes


class Malicious:
    """Writes a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.trace, "the pickle was executed")


@pytest.mark.parametrize("how", ["pickle", "torch", "inside"])
def test_code_in_a_file_is_not_run(how: str, best: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    if how == "pickle":
        best.write_bytes(pickle.dumps(Malicious(trace)))
    elif how == "torch":
        torch.save(Malicious(trace), best)
    else:
        change(best, config={"train": Malicious(trace)})
    with pytest.raises(FaultdiagError, match=r"nothing of that kind is loaded, for it could run"):
        load(best)
    assert not trace.exists()
    # The same file does run its code where nobody looks.
    if how != "pickle":
        torch.load(best, weights_only=False)
        assert trace.exists()


def test_a_file_that_cannot_be_read(best: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(checkpoint, "read_bytes", refuse)
    with pytest.raises(
        FaultdiagError,
        match=r"best\.pt cannot be read: Permission denied; check its permissions and its disk",
    ):
        load(best)


def test_weights_that_do_not_fit(best: Path) -> None:
    spec = read(best)["model_spec"]
    change(best, model_spec=spec | {"options": {"widths": [4, 9], "kernels": [7]}})
    with pytest.raises(
        FaultdiagError,
        match=r"the weights don't fit the network 'cnn1d' they were saved for; the checkpoint is "
        r"of another version of faultdiag: .*size mismatch for .*",
    ):
        load(best).build(torch.device("cpu"))


def test_a_full_disk_leaves_the_old_file(best: Path) -> None:
    source = load(best)
    before = contents(best.parent)
    with full_disk(1_000), pytest.raises(FaultdiagError, match=r"cannot write .*best\.pt: "):
        save(best, source)
    assert contents(best.parent) == before


def test_views_and_gradients_are_not_kept(trained: Path, tmp_path: Path) -> None:
    source = load(trained)
    network = source.build(torch.device("cpu"))
    parameters = dict(network.named_parameters(remove_duplicate=False))
    save(tmp_path / "a.pt", source)
    saved = read(tmp_path / "a.pt")["model"]
    assert parameters
    assert not any(tensor.requires_grad for tensor in saved.values())


def test_versions_are_those_of_the_packages() -> None:
    versions = checkpoint.package_versions()
    assert versions["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert versions["numpy"] == np.__version__


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_spec": {"name": "wdcnn"}}, "it lacks model_spec.attention, model_spec.channels, "),
        ({"window": {}}, "is an incomplete checkpoint: it lacks window.length"),
        ({"normalize": {"name": "none"}}, "is an incomplete checkpoint: it lacks normalize.state"),
        ({"classes": ["N"]}, "contradicts itself: its network has 3 classes, but 1 are named"),
        ({"channels": []}, "contradicts itself: its network has 1 channels, but 0 are named"),
    ],
)
def test_a_checkpoint_whose_parts_lack_something(
    changes: dict[str, Any], message: str, best: Path
) -> None:
    change(best, **changes)
    with pytest.raises(FaultdiagError, match=re.escape(message)):
        load(best)
