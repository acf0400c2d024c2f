"""Rate, speed and channels come from one place, in one order, for every command."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import faultdiag
from faultdiag.datasets import facts
from faultdiag.datasets.facts import (
    ContradictionError,
    Facts,
    Statement,
    choose_channels,
    resolve_facts,
)
from faultdiag.datasets.load import load_entry
from faultdiag.datasets.manifest import Manifest
from faultdiag.errors import FaultdiagError
from faultdiag.readers.read import list_variables

PATH = Path("a.npy")
NOTHING = Statement()


def resolved(
    *,
    file: Statement = NOTHING,
    known: Mapping[str, Any] | None = None,
    user: Statement = NOTHING,
    **options: Any,
) -> Facts:
    return resolve_facts(
        PATH,
        file=file,
        user=user,
        variables=list,
        catalogue=known or {},
        **options,
    )


RATES = st.none() | st.sampled_from([6000.0, 12_000.0, 48_000.0])


@given(file=RATES, known=RATES, user=RATES, recorded_at=RATES, assumed=RATES)
def test_the_first_who_states_a_rate_is_believed(
    file: float | None,
    known: float | None,
    user: float | None,
    recorded_at: float | None,
    assumed: float | None,
) -> None:
    def facts(**options: Any) -> Facts:
        return resolved(
            file=Statement(file),
            known={"sampling_rate": known},
            user=Statement(user),
            recorded_at=recorded_at,
            assumed=assumed,
            **options,
        )

    sources = {
        "file": file,
        "catalogue": known,
        "argument": user,
        "config": recorded_at,
        "assumed": assumed,
    }
    first = next(((v, name) for name, v in sources.items() if v is not None), (None, None))
    if user is not None and {file, known} - {None, user}:
        with pytest.raises(ContradictionError, match=f"--sampling-rate is {user:g} Hz; the "):
            facts()
        won = facts(override=True)
        assert (won.sampling_rate, won.rate_source) == (user, "argument")
        assert all(f"is {user:g} Hz; the" in warning for warning in won.warnings)
        assert won.warnings
        return
    found = facts()
    assert (found.sampling_rate, found.rate_source) == first
    assert found.warnings == ()


def test_both_sides_of_a_contradiction_are_named() -> None:
    with pytest.raises(ContradictionError) as error:
        resolved(
            file=Statement(48_000, 1800),
            user=Statement(12_000, 1500, "data.recorded_at", "data.rpm"),
            remedy="data.override_rate: true",
        )
    assert str(error.value) == (
        "a.npy: data.recorded_at is 12000 Hz; the file says 48000 Hz; data.rpm is 1500 rpm; the "
        "file says 1800 rpm; leave out what is wrong, or let your own win with "
        "data.override_rate: true"
    )


def test_small_differences_contradict_nothing() -> None:
    facts = resolved(file=Statement(12_799.6, 1497), user=Statement(12_800, 1500))
    assert (facts.sampling_rate, facts.rpm) == (12_799.6, 1497)
    # A catalogue's speed is nominal: a user's goes before it, within ten percent.
    facts = resolved(known={"rpm": 1000}, user=Statement(rpm=1080))
    assert (facts.rpm, facts.rpm_source) == (1080, "argument")
    with pytest.raises(ContradictionError, match="--rpm is 1400 rpm; the catalogue says 1000 rpm"):
        resolved(known={"rpm": 1000}, user=Statement(rpm=1400))


def test_a_catalogue_is_asked_only_where_it_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise AssertionError(path)

    monkeypatch.setattr(facts, "identify", refuse)
    options: dict[str, Any] = {"user": Statement(), "variables": list}
    assert resolve_facts(PATH, file=Statement(1e4, 900), **options).rpm == 900
    known = resolve_facts(PATH, file=Statement(1e4), needs_rpm=False, **options)
    assert (known.sampling_rate, known.rpm) == (1e4, None)
    with pytest.raises(AssertionError):
        resolve_facts(PATH, file=Statement(1e4), **options)


@pytest.mark.parametrize(
    ("own", "wanted", "stated", "chosen"),
    [
        (["DE", "FE"], ["FE"], [], ["FE"]),
        (["DE", "FE"], ["FE", "DE"], [], ["FE", "DE"]),
        (["x"], ["DE"], [], ["x"]),
        (["x", "y"], ["DE"], ["y"], ["y"]),
        (["DE", "FE"], ["DE"], ["DE", "FE"], ["DE"]),
        (["DE", "FE"], ["X097_DE_time"], [], ["X097_DE_time"]),
        (["x", "y"], ["DE"], [], "has 2 channels (x, y), the model was trained on 1 (DE); choose"),
        (["x", "DE"], ["DE", "FE"], [], "has no channel 'FE'; it has: x, DE; choose"),
        (
            ["x", "y"],
            ["DE", "FE"],
            ["y"],
            "1 channel (y) given, the model was trained on 2 (DE",
        ),
    ],
)
def test_channels(own: list[str], wanted: list[str], stated: list[str], chosen: Any) -> None:
    def choose() -> list[str]:
        return choose_channels(PATH, own, wanted, aliases=["X097_DE_time"], stated=stated)

    if isinstance(chosen, list):
        assert choose() == chosen
        return
    with pytest.raises(FaultdiagError) as error:
        choose()
    assert chosen in str(error.value)


def test_a_manifest_against_its_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", acc=np.random.default_rng(0).standard_normal(4000), fs=12_000)
    (tmp_path / "manifest.csv").write_text("path,label,sampling_rate\na.npz,N,48000\n")
    (entry,) = Manifest(tmp_path).entries({}).entries
    with pytest.raises(
        ContradictionError,
        match=r"a\.npz: sampling_rate in line 2 of manifest\.csv is 48000 Hz; the file says 12000",
    ):
        load_entry(entry, ["acc"])
    (entry,) = Manifest(tmp_path, override_rate=True).entries({}).entries
    assert load_entry(entry, ["acc"]).sampling_rate == 48_000


@pytest.mark.real
def test_the_public_function_knows_the_catalogue(real_data: Path, tmp_path: Path) -> None:
    copy = shutil.copy(real_data / "cwru" / "normal" / "97.mat", tmp_path / "pump.mat")
    recording = faultdiag.read_recording(copy, channel="DE")
    assert (recording.sampling_rate, recording.rpm) == (48_000, 1796)
    assert recording.facts["fault"] == "normal"
    with pytest.raises(FaultdiagError, match="sampling_rate is 12000 Hz; the catalogue says 48000"):
        faultdiag.read_recording(copy, sampling_rate=12_000)
    forced = faultdiag.read_recording(copy, sampling_rate=12_000, override_rate=True)
    assert forced.sampling_rate == 12_000


@pytest.mark.parametrize("name", ["97.npz", "normal_0_97.csv", "97.npy"])
def test_a_cwru_baseline_in_another_format_is_known(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    x = np.random.default_rng(0).uniform(-0.5, 0.5, 243_938)
    if name.endswith(".csv"):
        path.write_text("acc\n" + "\n".join(f"{v:.4f}" for v in x))
    else:
        (np.savez if name.endswith(".npz") else np.save)(path, x)
    file = Statement()
    facts = resolve_facts(path, file=file, user=Statement(), variables=lambda: list_variables(path))
    assert (facts.sampling_rate, facts.rate_source) == (48_000, "catalogue, by name")
    assert facts.catalogue["code"] == "N"
    with pytest.raises(ContradictionError, match="12000 Hz; the catalogue says 48000 Hz"):
        resolve_facts(
            path, file=file, user=Statement(12_000.0), variables=lambda: list_variables(path)
        )
    # Of another length the number in a name says nothing.
    plain = tmp_path / "other" / "97.npz"
    plain.parent.mkdir()
    np.savez(plain, x[:200_000])
    unknown = resolve_facts(
        plain, file=file, user=Statement(), variables=lambda: list_variables(plain)
    )
    assert unknown.sampling_rate is None
