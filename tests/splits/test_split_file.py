"""A split given back: the same segments of the same recordings, or a message that says why not."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from faultdiag.errors import FaultdiagError
from faultdiag.preparing.prepare import prepare
from faultdiag.signal.recording import Segment
from faultdiag.signal.windows import WindowPlan
from faultdiag.splits.file import from_file, read_split_file
from faultdiag.splits.within import PARTS, SplitItem
from tests.data_fixtures import tiny_config, write_recording

PLAN = WindowPlan(100, 50, None, 100)
ITEMS = [
    SplitItem(name, 1000, label, {}, f"sha-{name}")
    for name, label in zip("abc", "IBI", strict=True)
]
PARTS_OF = {
    "train": [[0, 0, 400], [1, 0, 400]],
    "valid": [[0, 500, 700], [1, 500, 700]],
    "test": [[0, 800, 1000]],
}


def document(**changes: Any) -> dict[str, Any]:
    rows = [{"name": i.name, "sha256": i.sha256, "samples": i.samples} for i in ITEMS]
    return {"strategy": "made", "seed": None, "parts": PARTS_OF, "recordings": rows, **changes}


def saved(folder: Path, content: object) -> str:
    (folder / "split.json").write_text(json.dumps(content))
    return str(folder)


def test_the_segments_are_taken_as_they_are(tmp_path: Path) -> None:
    # Recordings in another order, under other names, and one that the file doesn't use.
    items = [SplitItem(f"{i.name}.mat", i.samples, i.label, {}, i.sha256) for i in ITEMS[::-1]]
    path = saved(tmp_path, document(fractions=[0.6, 0.3, 0.1]))
    split = from_file(items, PLAN, 0, path=path)
    assert split.parts["test"] == (Segment(2, 800, 1000),)
    assert split.parts["train"] == (Segment(2, 0, 400), Segment(1, 0, 400))
    assert split.shares == {"train": 0.6, "valid": 0.3, "test": 0.1}
    assert split.notes == (
        f"the parts are those of {tmp_path / 'split.json'}, made by made",
        "not in that split, so left out: c.mat",
    )
    assert from_file(items, PLAN, 0, path=f"{path}/split.json") == split
    noted = from_file(items, PLAN, 0, path=path, gap=7).notes
    assert noted[1] == "split.gap 7 has no effect with file: its segments are made already"


def test_of_equal_bytes_the_name_decides(tmp_path: Path) -> None:
    twins = [SplitItem(name, 1000, "I", {}, "sha-a") for name in ("x", "a")]
    split = from_file([*twins, ITEMS[1]], PLAN, 0, path=saved(tmp_path, document()))
    assert split.parts["test"] == (Segment(1, 800, 1000),)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[]", "it is no split.json (TypeError("),
        ('{"parts": {}}', "it is no split.json (KeyError('recordings'))"),
        ("{", "it is no split.json (JSONDecodeError("),
        (json.dumps(document(parts={**PARTS_OF, "test": [[0, 800]]})), "it is no split.json (Type"),
        (
            json.dumps(document(parts={**PARTS_OF, "test": [[3, 0, 9]]})),
            "it is no split.json (ValueError('Segment(recording=3, start=0, stop=9) lies in none "
            "of its 3 recordings'))",
        ),
        (
            json.dumps(document(parts={**PARTS_OF, "test": [[0, 800, 1001]]})),
            "it is no split.json (ValueError('Segment(recording=0, start=800, stop=1001) lies in",
        ),
    ],
)
def test_what_is_no_split_is_told(content: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(content)
    message = f"^{re.escape(f'cannot read the split {path}: {reason}')}"
    with pytest.raises(FaultdiagError, match=message) as raised:
        read_split_file(path)
    assert str(raised.value).endswith("give a run folder, or the split.json of one")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(FaultdiagError, match=r"cannot read the split .*: No such file or dir"):
            read_split_file(path)


def test_a_part_without_a_segment(tmp_path: Path) -> None:
    path = saved(tmp_path, document(parts={**PARTS_OF, "valid": []}))
    with pytest.raises(FaultdiagError, match="has no segment in its valid part; give one with"):
        read_split_file(path)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (
            [SplitItem("a", 1000, "I", {}, "other"), ITEMS[2]],
            "uses 2 recordings that the data lacks: a (its bytes have changed), b; restore them, "
            "or widen data.select to have them",
        ),
        (
            [SplitItem("a", 250, "I", {}, "sha-a"), ITEMS[1]],
            "so that was made at another data.sampling_rate, 4 times this one; set that",
        ),
        (
            [SplitItem("a", 1000, "new", {}, "sha-a"), ITEMS[1]],
            "",
        ),
    ],
)
def test_data_that_the_split_does_not_fit(
    items: list[SplitItem], message: str, tmp_path: Path
) -> None:
    path = saved(tmp_path, document())
    if not message:
        assert from_file(items, PLAN, 0, path=path).parts["test"]
        return
    with pytest.raises(FaultdiagError, match=f"{re.escape(message)}$"):
        from_file(items, PLAN, 0, path=path)


def test_a_class_that_is_tested_but_not_trained(tmp_path: Path) -> None:
    parts = {**PARTS_OF, "test": [[2, 0, 400]]}
    items = [*ITEMS[:2], SplitItem("c", 1000, "new", {}, "sha-c")]
    with pytest.raises(
        FaultdiagError,
        match=r"the test part of the split \S+ has new, which no training recording has; set "
        r"data\.label as it was when the split was made",
    ):
        from_file(items, PLAN, 0, path=saved(tmp_path, document(parts=parts)))


def test_a_run_is_prepared_again_from_its_own_split(
    trained: Path, recordings: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(recordings, mine)
    config = tiny_config(mine, tmp_path, split={"strategy": "file", "path": str(trained)})
    again = prepare(config)
    split = json.loads((trained / "split.json").read_text())
    assert again.document["split"]["parts"] == split["parts"]
    assert prepare(config).folder == again.folder

    # The file counts, not only its name.
    copy = tmp_path / "split.json"
    split["parts"]["test"] = [[r, a + 10, b] for r, a, b in split["parts"]["test"]]
    shutil.copy(trained / "split.json", copy)
    config = tiny_config(mine, tmp_path, split={"strategy": "file", "path": str(copy)})
    first = prepare(config).segments("test")
    copy.write_text(json.dumps(split))
    assert [s.start for s in prepare(config).segments("test")] == [s.start + 10 for s in first]
    copy.unlink()
    with pytest.raises(FaultdiagError, match=r"cannot read the split .* there is no such file"):
        prepare(config)

    write_recording(mine / "118.mat", 118, seed=3)
    config = tiny_config(mine, tmp_path, split={"strategy": "file", "path": str(trained)})
    with pytest.raises(FaultdiagError, match=r"lacks: 118 \(its bytes have changed\); restore"):
        prepare(config)
    config = tiny_config(recordings, tmp_path, split=config.split.model_dump())
    changed = {**config.model_dump(mode="json"), "window": {"length": 256, "stride": 64}}
    changed["data"]["sampling_rate"] = 6000.0
    with pytest.raises(FaultdiagError, match=r"at another data\.sampling_rate, 2 times this one"):
        prepare(type(config).model_validate(changed, strict=False))
    assert set(PARTS) == set(split["parts"])
