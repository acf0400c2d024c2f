"""A loaded model on recordings and on windows, from Python."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import faultdiag
from faultdiag.checkpoint import load as load_checkpoint
from faultdiag.checkpoint import save as save_checkpoint
from faultdiag.errors import FaultdiagError
from faultdiag.prediction.diagnoser import Diagnoser, load
from faultdiag.prediction.events import Diagnosis
from faultdiag.readers.read import read_recording
from faultdiag.scoring import softmax
from faultdiag.signal.recording import Recording
from faultdiag.signal.resampling import resample
from tests.data_fixtures import CASES, SAMPLES, signal


@pytest.fixture(scope="module")
def diagnoser(trained: Path) -> Diagnoser:
    return load(trained, device="cpu")


def recording(number: int, **changes: object) -> Recording:
    rate, frequency = CASES[number]
    x = signal(frequency, rate, SAMPLES[number], seed=9).astype(np.float32)
    made = Recording(x[None], Path(f"{number}.mat"), ("DE",), float(rate))
    return replace(made, **changes)  # type: ignore[arg-type]  # fields by name


def test_what_it_says_of_itself(diagnoser: Diagnoser, trained: Path) -> None:
    assert diagnoser.classes == ("B", "IR", "N")
    assert diagnoser.channels == ("DE",)
    assert diagnoser.sampling_rate == 12_000
    assert diagnoser.length == 256
    assert diagnoser.device == torch.device("cpu")
    assert faultdiag.load(str(trained / "last.pt"), device="cpu").classes == diagnoser.classes


def test_new_recordings_get_the_right_labels(diagnoser: Diagnoser) -> None:
    found = diagnoser.predict(recording(number) for number in CASES)
    assert [diagnosis.label for diagnosis in found] == ["N", "IR", "B"]
    for diagnosis, number in zip(found, CASES, strict=True):
        samples = SAMPLES[number] * 12_000 // CASES[number][0]
        assert diagnosis.windows == samples // 256
        assert 1 / 3 < diagnosis.confidence <= 1
        assert diagnosis.agreement > 0.9
        assert list(diagnosis.probabilities) == ["B", "IR", "N"]
        assert sum(diagnosis.probabilities.values()) == pytest.approx(1)
        assert diagnosis.probabilities[diagnosis.label] == diagnosis.confidence


def test_a_diagnosis_is_the_mean_of_its_windows(diagnoser: Diagnoser) -> None:
    made = recording(105)
    x = made.signal[0]
    windows = np.stack([x[i * 256 : (i + 1) * 256] for i in range(len(x) // 256)])[:, None]
    probabilities = softmax(diagnoser.logits(windows))
    diagnosis = diagnoser.diagnose(made)
    np.testing.assert_allclose(
        list(diagnosis.probabilities.values()), probabilities.mean(0), rtol=1e-12
    )
    label = diagnoser.classes.index(diagnosis.label)
    assert diagnosis.agreement == (probabilities.argmax(1) == label).mean()


def test_confidences_are_scaled_and_logits_are_not(
    diagnoser: Diagnoser, trained: Path, tmp_path: Path
) -> None:
    made = recording(105)
    windows = made.signal[0][: len(made.signal[0]) // 256 * 256].reshape(-1, 1, 256)
    source = replace(load_checkpoint(trained), calibration={"temperature": 2.5})
    save_checkpoint(tmp_path / "warm.pt", source)
    warm = load(tmp_path / "warm.pt", device="cpu")
    logits = warm.logits(windows)
    np.testing.assert_array_equal(logits, diagnoser.logits(windows))
    scaled = np.exp(logits / 2.5)
    scaled /= scaled.sum(1, keepdims=True)
    before, after = diagnoser.diagnose(made), warm.diagnose(made)
    np.testing.assert_allclose(list(after.probabilities.values()), scaled.mean(0), rtol=1e-12)
    assert after.confidence < before.confidence
    assert (after.label, after.agreement) == (before.label, before.agreement)


def test_logits_are_the_networks_on_normalised_windows(diagnoser: Diagnoser, trained: Path) -> None:
    windows = np.random.default_rng(0).standard_normal((5, 1, 256)).astype(np.float32)
    x = torch.from_numpy(windows.copy())
    x = x - x.mean(-1, keepdim=True)
    x = x / x.square().mean(-1, keepdim=True).sqrt()
    with torch.inference_mode():
        expected = load_checkpoint(trained).build(torch.device("cpu"))(x).double().numpy()
    windows.flags.writeable = False
    found = diagnoser.logits(windows)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_array_equal(diagnoser.logits(windows.astype(np.float64)), found)
    # A gain and an offset change nothing: every window is normalised on its own.
    np.testing.assert_allclose(diagnoser.logits(40 * windows + 3), found, atol=1e-3)


def test_many_windows_and_none(diagnoser: Diagnoser) -> None:
    windows = np.random.default_rng(0).standard_normal((1200, 1, 256)).astype(np.float32)
    found = diagnoser.logits(windows)
    assert found.shape == (1200, 3)
    np.testing.assert_allclose(found[1000:1100], diagnoser.logits(windows[1000:1100]), atol=1e-5)
    assert diagnoser.logits(windows[:0]).shape == (0, 3)


@pytest.mark.parametrize("shape", [(256,), (4, 256), (4, 2, 256), (4, 1, 255)])
def test_windows_of_another_shape(shape: tuple[int, ...], diagnoser: Diagnoser) -> None:
    with pytest.raises(FaultdiagError) as error:
        diagnoser.logits(np.zeros(shape, np.float32))
    expected = f"the windows have the shape {shape}; the model takes (windows, 1, 256)"
    assert str(error.value) == expected


def test_a_recording_at_another_rate_is_resampled(diagnoser: Diagnoser) -> None:
    rate, samples = 25_600.0, 64_000
    x = signal(CASES[118][1], rate, samples, seed=4).astype(np.float32)[None]
    fast = Recording(x, Path("fast.wav"), ("DE",), rate)
    slow = Recording(resample(x, rate, 12_000), Path("slow.wav"), ("DE",), 12_000.0)
    found = diagnoser.diagnose(fast)
    assert found == diagnoser.diagnose(slow)
    assert (found.label, found.windows) == ("B", 30_000 // 256)
    # Read at the wrong rate the same samples are something else.
    assert diagnoser.diagnose(replace(fast, sampling_rate=12_000.0)).label != "B"


def test_channels_are_taken_by_name_wherever_they_stand(diagnoser: Diagnoser) -> None:
    made = recording(105)
    noise = signal(50, 12_000, made.samples, seed=3).astype(np.float32)
    both = replace(made, signal=np.stack([noise, made.signal[0]]), channels=("FE", "DE"))
    assert diagnoser.diagnose(both) == diagnoser.diagnose(made)


def test_a_single_channel_of_another_name_is_taken(diagnoser: Diagnoser) -> None:
    made = recording(105)
    assert diagnoser.diagnose(replace(made, channels=("gs",))) == diagnoser.diagnose(made)


def test_which_of_several_channels_must_be_said(diagnoser: Diagnoser) -> None:
    x = np.random.default_rng(0).standard_normal((2, 1000)).astype(np.float32)
    made = Recording(x, Path("run3.csv"), ("a", "b"), 12_000.0)
    with pytest.raises(
        FaultdiagError,
        match=r"run3\.csv has 2 channels \(a, b\), the model was trained on 1 \(DE\); choose with "
        r"channel=",
    ):
        diagnoser.diagnose(made)


def test_a_recording_shorter_than_a_window(diagnoser: Diagnoser) -> None:
    made = recording(97)
    short = replace(made, signal=made.signal[:, :1020])
    with pytest.raises(
        FaultdiagError,
        match=r"97\.mat has 255 samples at 12000 Hz, the model needs 256 for one window; record "
        r"longer",
    ):
        diagnoser.diagnose(short)
    enough = replace(made, signal=made.signal[:, :1024])
    assert diagnoser.diagnose(enough).windows == 1


def test_a_dead_sensor(diagnoser: Diagnoser) -> None:
    with pytest.raises(FaultdiagError, match=r"channel DE is constant: all 500 samples are 2"):
        diagnoser.diagnose(recording(105, signal=np.full((1, 500), 2.0, np.float32)))


def test_a_recording_without_a_rate(diagnoser: Diagnoser) -> None:
    with pytest.raises(
        FaultdiagError,
        match=r"105\.mat carries no sampling rate; give it with sampling_rate= \(the model works "
        r"at 12000 Hz\)",
    ):
        diagnoser.diagnose(recording(105, sampling_rate=None))


def test_a_file_read_from_python(diagnoser: Diagnoser, recordings: Path) -> None:
    made = read_recording(recordings / "105.mat", channel="DE", sampling_rate=12_000)
    (diagnosis,) = diagnoser.predict([made])
    assert isinstance(diagnosis, Diagnosis)
    assert diagnosis.label == "IR"
    assert diagnoser.predict([]) == []


def test_a_device_that_is_not_there(trained: Path) -> None:
    with pytest.raises(FaultdiagError, match="unknown device 'tpu'"):
        load(trained, device="tpu")


def test_threads_are_left_as_they_were(diagnoser: Diagnoser) -> None:
    before, info = torch.get_num_threads(), torch.__config__.parallel_info()
    diagnoser.predict([recording(105)])
    assert torch.get_num_threads() == before
    assert torch.__config__.parallel_info() == info


def test_what_is_said_of_one_does_not_depend_on_the_others(diagnoser: Diagnoser) -> None:
    made = [recording(number) for number in (97, 105, 118, 105, 97, 118)]
    together = diagnoser.predict(made)
    assert together == [diagnoser.diagnose(one) for one in made], "to the last bit"
    assert diagnoser.predict(reversed(made)) == together[::-1]


def test_network_config_and_device(trained: Path) -> None:
    diagnoser = load(trained, device="cpu")
    assert isinstance(diagnoser.network, torch.nn.Module)
    assert not diagnoser.network.training
    assert diagnoser.config == load_checkpoint(trained).config
    before = diagnoser.logits(np.ones((1, 1, 256), np.float32))
    assert diagnoser.to("cpu") is diagnoser
    assert np.array_equal(diagnoser.logits(np.ones((1, 1, 256), np.float32)), before)
    with pytest.raises(FaultdiagError, match=r"unknown device 'cpus'"):
        diagnoser.to("cpus")


def test_embeddings_give_the_logits_through_the_last_layer(diagnoser: Diagnoser) -> None:
    one, other = recording(105), recording(97)
    embedded = diagnoser.embed([one, other])
    assert embedded.shape[0] == 2
    (last,) = [m for m in diagnoser.network.modules() if isinstance(m, torch.nn.Linear)][-1:]
    logits = last(torch.from_numpy(embedded).float()).detach().numpy()
    windows = one.signal[0][: one.samples // 256 * 256].reshape(-1, 1, 256)
    # The last layer is linear: the mean of its inputs gives the mean of the logits.
    expected = diagnoser.logits(windows).mean(axis=0)
    assert logits[0] == pytest.approx(expected, abs=1e-4)
    assert np.array_equal(diagnoser.embed([one, other])[1], embedded[1])
    assert diagnoser.embed([]).shape == (0, 0)


def test_errors_from_python_name_arguments(diagnoser: Diagnoser, tmp_path: Path) -> None:
    np.save(tmp_path / "two.npy", np.random.default_rng(0).normal(size=(2, 4000)))
    for call in (
        lambda: diagnoser.diagnose(tmp_path / "two.npy", sampling_rate=12000),
        lambda: diagnoser.embed([tmp_path / "two.npy"], sampling_rate=12000),
        lambda: faultdiag.predict(diagnoser, tmp_path / "two.npy", sampling_rate=12000),
    ):
        with pytest.raises(FaultdiagError, match=r"channel=") as raised:
            call()
        assert "--" not in str(raised.value)
        assert "--channel" in raised.value.in_options
    with pytest.raises(FaultdiagError, match=r"^device='cuda:9': torch .* use device='cpu', or"):
        faultdiag.load(tmp_path, device="cuda:9")
