"""The command that lists and shows bearings."""

import json

import pytest

from faultdiag.signal.bearings import catalogue
from tests.commands import done, refused, run


def test_the_list_has_a_line_for_each_bearing() -> None:
    lines = done("bearings").splitlines()
    assert lines[0].split() == ["bearing", "maker", "type", "balls", "BPFO", "BPFI", "BSF", "FTF"]
    assert len(lines) == len(catalogue()) + 4
    line = next(line for line in lines if line.startswith("6205 "))
    assert line.split()[-5:] == ["9", "3.585", "5.415", "2.357", "0.398"]
    assert next(line for line in lines if line.startswith("6308 ")).endswith("approximate")


def test_one_bearing_with_its_geometry_and_source() -> None:
    text = done("bearings", "6203 fag")
    assert "6203 FAG, FAG: deep groove ball bearing" in text
    assert "8 balls or rollers of 6.75 mm in a row, pitch diameter 28.55 mm" in text
    assert "BPFO   3.0543 x shaft rate" in text
    assert "doi:10.36001/phme.2016.v3i1.1577" in text
    stated = done("bearings", "6308")
    assert "its diameters are not published" in stated
    assert "approximate: check it against the bearing's maker" in stated


def test_json_of_all_and_of_one() -> None:
    rows = json.loads(done("bearings", "--json"))
    assert [row["name"] for row in rows] == list(catalogue())
    one = json.loads(done("bearings", "za-2115", "--json"))
    assert one["geometry"]["contact_angle"] == 15.17
    assert one["orders"]["bpfo"] == pytest.approx(7.0925, abs=1e-3)
    assert json.loads(done("bearings", "6308", "--json"))["geometry"] is None


def test_an_unknown_bearing() -> None:
    refused(run("bearings", "zzz"), "unknown bearing 'zzz'; the 99 known ones are listed by")
