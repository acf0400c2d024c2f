"""What is said of prepared data: of the recordings, of the parts."""

from pathlib import Path

import pytest

from faultdiag.preparing.prepare import prepare
from faultdiag.report.data import describe_prepared, describe_recordings, split_lines
from tests.data_fixtures import tiny_config


def test_what_stands_in_each_part(recordings: Path, prepared_root: Path) -> None:
    prepared = prepare(tiny_config(recordings, prepared_root))
    lines = describe_prepared(prepared, ["N"]).splitlines()
    assert lines[0].split() == ["part", "windows", "disjoint", "recordings", "classes"]
    for line, part in zip(lines[2:5], ("train", "valid", "test"), strict=True):
        assert line.split() == [
            part,
            str(len(prepared.windows.of(part))),
            str(prepared.audit.disjoint_windows[part]),
            "3",
            "3",
        ]
    assert [line.split() for line in lines[5:11]] == [
        [],
        ["parts", "samples", "recordings", "bearings", "conditions"],
        ["-----------", "-------", "----------", "--------", "----------"],
        ["train-valid", "0", "3", "3", "1"],
        ["train-test", "0", "3", "3", "1"],
        ["valid-test", "0", "3", "3", "1"],
    ]
    assert lines[11:] == [
        "split within_recording: 0 samples in two or more parts",
        "train and test share recordings: the figure says how well other seconds of the same "
        "recordings are distinguished",
        "note: resampled from 48000 Hz to 12000 Hz: 97",
    ]


def test_a_leak_is_told(recordings: Path, prepared_root: Path) -> None:
    prepared = prepare(tiny_config(recordings, prepared_root, split__strategy="random_windows"))
    text = describe_prepared(prepared, ["N"])
    assert f"split random_windows: {prepared.audit.shared_samples} samples in two or more" in text
    assert f"LEAK: {prepared.audit.leaking_test_windows:.1%} of the test windows overlap a" in text
    assert "LEAK: a test window shares " in text


def test_what_a_split_shares_in_words() -> None:
    split = {
        "strategy": "s",
        "shared_samples": 7,
        "leaking_test_windows": 0.25,
        "valid_test_overlap": 0.125,
        "pairs": {"train-test": {"conditions": 1}},
        "leak_by_class": {"N": "samples"},
        "duplicates": [],
        "notes": ["one", "two"],
    }
    assert split_lines(split) == [
        "split s: 7 samples in two or more parts",
        "LEAK: 25.0% of the test windows overlap a training window",
        "LEAK: a test window shares 12.5% of its samples with its nearest validation window, on "
        "average",
        "test holds samples that the model was made with: the figure says how well they are "
        "remembered",
        "note: one",
        "note: two",
    ]
    other_data = split_lines(split | {"seen_windows": 0.0})
    assert not any("the model was made with" in line for line in other_data)
    honest = split | {"shared_samples": 0, "leaking_test_windows": 0.0, "valid_test_overlap": 0.0}
    assert split_lines(honest)[0] == "split s: 0 samples in two or more parts"
    assert not any("LEAK" in line for line in split_lines(honest))


@pytest.mark.parametrize(
    ("healthy", "notes"),
    [
        (["N"], []),
        ([], []),
        (
            ["NN", "N"],
            ["data.healthy names 'NN', which is no class; there are: B, IR, N"],
        ),
        (
            ["normal"],
            [
                "data.healthy names 'normal', which is no class; there are: B, IR, N",
                "no class is healthy, so false and missed alarms are undefined",
            ],
        ),
    ],
)
def test_a_healthy_class_that_is_none_is_told(
    healthy: list[str], notes: list[str], recordings: Path, prepared_root: Path
) -> None:
    prepared = prepare(tiny_config(recordings, prepared_root))
    found = describe_prepared(prepared, healthy).splitlines()[14:]
    assert [line.removeprefix("note: ").replace(" (did you mean 'N'?)", "") for line in found] == (
        notes
    )


def test_every_recording_with_its_class_rate_and_file(
    recordings: Path, prepared_root: Path
) -> None:
    prepared = prepare(tiny_config(recordings, prepared_root))
    head, _, *rows = (line.split() for line in describe_recordings(prepared).splitlines())
    assert head == [
        *("recording", "class", "samples", "train", "valid", "test", "rpm"),
        *("recorded", "at", "Hz", "file"),
    ]
    assert [row[:3] + row[6:] for row in rows] == [
        ["97", "N", "15000", "1797", "48000", str(recordings / "97.mat")],
        ["105", "IR", "30000", "1797", "12000", str(recordings / "105.mat")],
        ["118", "B", "30000", "1797", "12000", str(recordings / "118.mat")],
    ]
    for part, column in (("train", 3), ("valid", 4), ("test", 5)):
        counted = sum(int(row[column]) for row in rows)
        assert counted == len(prepared.windows.of(part))
