"""Struct in struct: numeric leaves by path, the nearest rate, step and speed."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultdiag.errors import FaultdiagError
from faultdiag.readers.read import list_variables, open_recording, read_recording
from tests.readers.samples import mat, mat73

X = np.random.default_rng(0).standard_normal(3000)
WORDS = st.sampled_from(["run", "Signal", "acc", "Messung", "data", "Y", "values", "channel_1"])


def struct_array(*elements: dict[str, Any]) -> Any:
    names = list(elements[0])
    found = np.zeros((1, len(elements)), dtype=[(name, "O") for name in names])
    for i, element in enumerate(elements):
        found[0, i] = tuple(element[name] for name in names)
    return found


@given(
    path=st.lists(WORDS, min_size=2, max_size=5),
    fact=st.sampled_from(
        [("fs", 25_600), ("increment", 1 / 25_600), ("Raster", 1 / 25_600), ("delta_t", 1 / 25_600)]
    ),
    level=st.integers(0, 4),
    packed=st.booleans(),
)
@settings(max_examples=40)
def test_a_leaf_at_any_depth(
    tmp_path_factory: pytest.TempPathFactory,
    path: list[str],
    fact: tuple[str, float],
    level: int,
    packed: bool,
) -> None:
    inside: Any = X
    for depth, name in reversed(list(enumerate(path[1:], 1))):
        inside = {name: inside, **({fact[0]: fact[1]} if depth == level else {})}
    file = tmp_path_factory.getbasetemp() / "leaf.mat"
    file.write_bytes(mat({path[0]: inside}, do_compression=packed))
    recording = read_recording(file)
    assert recording.channels == (".".join(path),)
    assert recording.sampling_rate == (25_600 if 0 < level < len(path) else None)
    np.testing.assert_array_equal(recording.signal[0], X.astype(np.float32))
    assert [v.channel for v in list_variables(file)] == [".".join(path)]


def logger(name: str = "N15_1") -> dict[str, Any]:
    channels = struct_array(
        {"Name": "speed", "Data": 1500 + X[:500], "Raster": 1 / 4000},
        {"Name": "vibration_1", "Data": X, "Raster": 1 / 64_000},
    )
    return {name: {"Info": "", "Y": channels}}


def test_elements_by_their_names_with_their_own_steps(tmp_path: Path) -> None:
    path = tmp_path / "N15_1.mat"
    path.write_bytes(mat(logger()))
    with pytest.raises(
        FaultdiagError, match=r"several signals \(Y\.speed\.Data, Y\.vibration_1\.Data\); choose"
    ):
        read_recording(path)
    for name in ("vibration_1", "Y.vibration_1.Data"):
        recording = read_recording(path, channel=name)
        assert (recording.samples, recording.sampling_rate) == (3000, 64_000)
    assert read_recording(path, channel="speed").sampling_rate == 4000


def test_elements_without_names_go_by_number(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    rows = struct_array({"v": X, "fs": 1000.0}, {"v": X[::-1], "fs": 2000.0})
    path.write_bytes(mat({"run": rows}))
    recording = read_recording(path, channel="run(2).v")
    assert recording.sampling_rate == 2000
    np.testing.assert_array_equal(recording.signal[0], X[::-1].astype(np.float32))


def test_cells_are_looked_into(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    cells = np.array([{"acc": X, "fs": 12_800.0}, {"acc": X, "fs": 25_600.0}], object)
    path.write_bytes(mat({"data": cells}))
    assert read_recording(path, channel="data{2}.acc").sampling_rate == 25_600
    one = np.empty((1, 1), object)
    one[0, 0] = X
    path.write_bytes(mat({"data": one}))
    assert read_recording(path).channels == ("data{1}",)


def test_testlab_structs(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    y = np.stack([X, X[::-1]], axis=1)
    signal = {
        "x_values": {"start_value": 0.0, "increment": 1 / 25_600, "number_of_values": 3000.0},
        "y_values": {"values": y, "quantity": {"label": "g"}},
        "function_record": {"name": "Time 1"},
    }
    path.write_bytes(mat({"Signal": signal}))
    recording = read_recording(path)
    assert recording.sampling_rate == 25_600
    assert recording.channels == ("Signal.y_values.values_1", "Signal.y_values.values_2")


def test_attributes_of_groups(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for name, rate in (("first", 12_800.0), ("second", 25_600.0)):
            group = file.create_group(f"rig/{name}")
            group.create_dataset("acc", data=X)
            group.attrs["sampling_rate"] = rate
        file["rig"].attrs["rpm"] = 1480.0
    for name, rate in (("first", 12_800), ("second", 25_600)):
        source = open_recording(path, channel=f"rig/{name}/acc")
        assert (source.sampling_rate, source.rpm) == (rate, 1480)


SLOW = {"Name": "speed", "Data": 1500 + X[:500], "Raster": 1 / 4000}
FAST = {"Name": "vibration_1", "Data": X, "Raster": 1 / 64_000}
STRUCTS: dict[str, dict[str, Any]] = {
    "struct array": {
        "run": [{"v": X, "fs": 1e3, "rpm": 900.0}, {"v": X[::-1], "fs": 2e3, "rpm": ()}]
    },
    "elements with names": {"N15_1": {"Info": "", "Y": [SLOW, FAST]}},
    "cells of structs": {"data": ({"acc": X, "fs": 12_800.0}, {"acc": X, "fs": 25_600.0})},
    "one cell": {"data": (X,), "fs": 9000.0},
    "struct arrays in a struct array": {
        "rig": [
            {"rpm": 1480.0, "ch": [{"x": X, "dt": 1e-3}, {"x": X[::-1], "dt": 1e-4}]},
            {"rpm": 1760.0, "ch": [{"x": X[:999], "dt": 1e-3}, {"x": X, "dt": 1e-4}]},
        ]
    },
    "cells and structs in cells": {"a": ("words", (X[:100], "more"), {"b": {"c": X, "fs": 5e3}})},
    "an element without samples": {"run": [{"v": X, "fs": 1000.0}, {"v": (), "fs": 1000.0}]},
}


def level_5(value: Any) -> Any:
    """Return what scipy writes as the struct arrays and cells of `mat73`."""
    if isinstance(value, dict):
        return {name: level_5(inside) for name, inside in value.items()}
    if isinstance(value, list):
        return struct_array(*map(level_5, value))
    if isinstance(value, tuple) and value:
        cells = np.empty((1, len(value)), object)
        cells[0] = [level_5(inside) for inside in value]
        return cells
    return value if np.size(value) else np.zeros((0, 0))


def described(path: Path) -> dict[str, Any]:
    """Return the variables of a file, and what is known of each channel."""
    variables = list_variables(path)
    names = [name for v in variables if v.channel for name in v.channel.split(", ")]
    sources = {name: open_recording(path, channel=name) for name in names}
    known = {n: (s.samples, s.sampling_rate, s.rpm) for n, s in sources.items()}
    return {"variables": sorted(map(str, variables)), "channels": known}


@pytest.mark.parametrize("name", STRUCTS)
def test_structs_of_7_3_read_as_those_of_level_5(tmp_path: Path, name: str) -> None:
    old, new = tmp_path / "old.mat", tmp_path / "new.mat"
    old.write_bytes(mat(level_5(STRUCTS[name])))
    new.write_bytes(mat73(STRUCTS[name]))
    expected = described(old)
    assert described(new) == expected
    assert expected["channels"]
    for channel in expected["channels"]:
        first, second = (read_recording(path, channel=channel).signal for path in (old, new))
        np.testing.assert_array_equal(first, second)


def test_facts_beside_the_elements_of_a_7_3_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    path.write_bytes(mat73(STRUCTS["struct arrays in a struct array"]))
    source = open_recording(path, channel="rig(2).ch(1).x")
    assert (source.samples, source.sampling_rate, source.rpm) == (999, 1000, 1760)
    path = tmp_path / "b.mat"
    path.write_bytes(mat73(STRUCTS["elements with names"]))
    assert open_recording(path, channel="vibration_1").sampling_rate == 64_000


def test_references_that_lead_in_circles(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    path.write_bytes(mat73({"a": ({"b": ("word", "word"), "x": X}, "word"), "c": ("word",)}))
    with h5py.File(path, "r+") as file:
        first = file[file["a"][0, 0]]
        first["b"][:, 0] = [file["a"].ref, first.ref]
        file["a"][1, 0] = first["b"].ref
        file["c"][0, 0] = first.ref
    assert list(described(path)["channels"]) == ["a{1}.x"]


def test_cells_that_hold_each_other_many_times(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    words = ("word",) * 3
    path.write_bytes(mat73(dict.fromkeys("abc", words)))
    with h5py.File(path, "r+") as file:
        every = np.array([file[name].ref for name in "abc"] * 2000, h5py.ref_dtype)
        for name in "abc":
            hidden = file["#refs#"].create_dataset(f"many {name}", data=every[:, None])
            hidden.attrs["MATLAB_class"] = np.bytes_("cell")
            file[name][0, 0] = hidden.ref
    with pytest.raises(FaultdiagError, match="holds no signal"):
        read_recording(path)


def test_a_reference_to_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    path.write_bytes(mat73({"run": [{"v": X}, {"v": X}]}))
    with h5py.File(path) as file:
        place = file["run/v"].id.get_offset()
    content = bytearray(path.read_bytes())
    content[place : place + 8] = (len(content) + 4096).to_bytes(8, "little")
    path.write_bytes(content)
    with pytest.raises(FaultdiagError, match=r"a\.mat is a damaged or incomplete HDF5 file"):
        read_recording(path)
