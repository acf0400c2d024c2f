"""The prepared folder: written whole, mapped into memory, checked when it is opened."""

import errno
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from faultdiag.errors import FaultdiagError
from faultdiag.preparing import folder
from faultdiag.preparing.folder import (
    DamagedError,
    Prepared,
    PreparedRecording,
    SignalLayout,
    Writer,
    check_recordings,
    check_windows,
    gather,
    new_folder,
    open_signals,
)
from faultdiag.preparing.prepare import prepare
from faultdiag.preparing.window_index import WindowIndex
from faultdiag.signal.recording import Recording
from faultdiag.splits.within import PARTS
from tests.data_fixtures import contents, tiny_config


@pytest.fixture(scope="module")
def two_channels(recordings: Path, prepared_root: Path) -> Prepared:
    return prepare(tiny_config(recordings, prepared_root, data__channels=["FE", "DE"]))


@pytest.fixture
def copy(two_channels: Prepared, tmp_path: Path) -> Path:
    return Path(shutil.copytree(two_channels.folder, tmp_path / "copy"))


def test_gathered_windows_are_slices_of_the_channels(two_channels: Prepared) -> None:
    prepared = two_channels
    rows = np.random.default_rng(0).integers(0, len(prepared.windows), 60)
    windows = prepared.windows.take(rows)
    gathered = gather(prepared.signals, prepared.positions(windows), prepared.length)
    assert gathered.shape == (60, 2, 256)
    assert gathered.dtype == np.float32
    seen = set()
    for window, number, start in zip(gathered, windows.recording, windows.start, strict=True):
        recording = prepared.recordings[number]
        block = prepared.signals[recording.offset : recording.offset + 2 * recording.samples]
        signal = np.asarray(block).reshape(2, recording.samples)
        np.testing.assert_array_equal(window, signal[:, start : start + 256])
        seen.add(int(number))
    assert seen == {0, 1, 2}


def test_channels_are_those_of_the_file_in_the_order_asked_for(
    two_channels: Prepared, recordings: Path
) -> None:
    from scipy.io import loadmat

    file = loadmat(recordings / "105.mat")
    row = next(r for r in two_channels.recordings if r.name == "105")
    block = np.asarray(two_channels.signals[row.offset : row.offset + 2 * row.samples])
    assert two_channels.channels == ("FE", "DE")
    for stored, name in zip(block.reshape(2, -1), ("FE", "DE"), strict=True):
        expected = file[f"X105_{name}_time"][:, 0].astype(np.float32)
        np.testing.assert_array_equal(stored, expected)


def test_positions_of_recordings_of_different_lengths() -> None:
    recordings = [
        PreparedRecording(str(i), "", "", "", samples, offset, rpm=None, recorded_at=1.0, facts={})
        for i, (samples, offset) in enumerate([(10, 0), (7, 30), (100, 51)])
    ]
    windows = WindowIndex(
        np.array([2, 0, 1], np.int32),
        np.array([5, 0, 3]),
        np.zeros(3, np.int8),
        np.zeros(3, np.int16),
    )
    assert SignalLayout(recordings, 3).positions(windows).tolist() == [
        [56, 156, 256],
        [0, 10, 20],
        [33, 40, 47],
    ]


def test_signals_are_mapped_and_never_written_to(two_channels: Prepared) -> None:
    assert isinstance(two_channels.signals, np.memmap)
    path = two_channels.folder / "signals.npy"
    before = path.read_bytes()
    mine = open_signals(two_channels.folder)
    mine[:100] = 7
    assert isinstance(mine, np.memmap)
    mine.flush()
    assert path.read_bytes() == before
    assert np.load(path).size == sum(2 * r.samples for r in two_channels.recordings)


def test_segments_and_windows_agree(two_channels: Prepared) -> None:
    for part in PARTS:
        spans = two_channels.segments(part)
        assert [s.recording for s in spans] == [0, 1, 2]
        for number, starts in two_channels.windows.of(part).by_recording().items():
            segment = spans[number]
            assert segment.start <= starts.min()
            assert starts.max() + 256 <= segment.stop


def test_an_honest_split_shares_nothing_and_random_windows_leak(
    two_channels: Prepared, recordings: Path, prepared_root: Path
) -> None:
    assert two_channels.audit.shared_samples == 0
    assert two_channels.audit.leaking_test_windows == 0
    dealt = prepare(tiny_config(recordings, prepared_root, split__strategy="random_windows"))
    assert dealt.audit.shared_samples > 0
    assert dealt.audit.leaking_test_windows > 0.5
    assert any("random_windows" in note for note in dealt.notes)


def test_recordings_can_be_found_elsewhere(copy: Path) -> None:
    prepared = Prepared(copy)
    prepared.relocate([Path("a"), Path("b"), Path("c")])
    assert [r.source for r in prepared.recordings] == ["a", "b", "c"]


def _edit(change: Callable[[dict[str, object]], object]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / "prepared.json"
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))

    return edit


def _overwrite(name: str, place: int, content: bytes) -> Callable[[Path], None]:
    """Return what overwrites bytes of a file, behind a text where `place` is negative."""

    def damage(folder: Path) -> None:
        with (folder / name).open("r+b") as file:
            file.seek(place)
            file.write(content)

    return damage


def _relabel(folder: Path) -> None:
    """Overwrite labels where they lie in the archive."""
    path = folder / "windows.npz"
    content = bytearray(path.read_bytes())
    place = content.index(b"\n", content.index(b"label.npy")) + 1
    content[place : place + 20] = b"\1\0" * 10
    path.write_bytes(content)


def _shorten(name: str, count: int) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-count])


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no document": (
        lambda folder: (folder / "prepared.json").unlink(),
        r"cannot read prepared\.json: .*No such file",
    ),
    "half a document": (
        lambda folder: (folder / "prepared.json").write_text('{"format": 2,'),
        "cannot read prepared.json: Expecting property name",
    ),
    "another document": (
        lambda folder: (folder / "prepared.json").write_text("[1, 2]"),
        "its format is None, not 3",
    ),
    "a newer format": (
        _edit(lambda document: document.update(format=4)),
        "its format is 4, not 3",
    ),
    "a lost key": (_edit(lambda document: document.pop("classes")), "its digest differs"),
    "another offset": (
        _edit(lambda document: document["recordings"][0].update(offset=10**12)),
        r"prepared\.json was changed: its digest differs",
    ),
    "a part that is text": (
        _edit(lambda document: document["split"]["parts"].update(train="x")),
        r"prepared\.json was changed: its digest differs",
    ),
    "short signals": (_shorten("signals.npy", 4000), r"signals\.npy has \d+ bytes, \d+ were"),
    "no signals": (lambda folder: (folder / "signals.npy").unlink(), "No such file"),
    "short windows": (_shorten("windows.npz", 100), r"windows\.npz has \d+ bytes, \d+ were"),
    "samples overwritten": (
        _overwrite("signals.npy", 4000, bytes(400)),
        r"signals\.npy was changed: its digest differs",
    ),
    "labels overwritten": (_relabel, r"windows\.npz was changed: its digest differs"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_folder_says_so(
    damage: Callable[[Path], object], message: str, copy: Path
) -> None:
    assert Prepared(copy).classes == ("B", "IR", "N")
    damage(copy)
    start, end = r"copy is a damaged prepared folder \(", r"\); delete it, and it is prepared again"
    with pytest.raises(DamagedError, match=f"{start}.*{message}.*{end}"):
        Prepared(copy)


@pytest.mark.parametrize(
    ("column", "row", "value", "message"),
    [
        ("recording", 3, 99, "of a recording beyond the 3 there are"),
        ("recording", 3, -1, "of a recording beyond the 3 there are"),
        ("start", 5, 10**12, "outside its recording"),
        ("start", 5, -1, "outside its recording"),
        ("label", 5, 99, "another class than its recording"),
        ("label", 5, -1, "another class than its recording"),
        ("part", 5, 7, "not part after part"),
        ("part", 0, 1, "not part after part"),
    ],
)
def test_every_index_is_checked_whatever_the_digests_say(
    column: str, row: int, value: int, message: str, two_channels: Prepared
) -> None:
    windows = two_channels.windows
    columns = {f.name: np.array(getattr(windows, f.name)) for f in fields(windows)}
    samples = [recording.samples for recording in two_channels.recordings]
    labels = [two_channels.classes.index(r.label) for r in two_channels.recordings]
    check_windows(WindowIndex(**columns), samples, labels, 256)
    columns[column][row] = value
    with pytest.raises(ValueError, match=message):
        check_windows(WindowIndex(**columns), samples, labels, 256)


def test_recordings_must_fill_the_signals(two_channels: Prepared) -> None:
    signals = np.zeros(30, np.float32)
    check_recordings(signals, [(0, 10), (10, 20)])
    for offsets in ([(0, 10), (11, 19)], [(0, 10), (10, 21)], [(0, 10)], [(0, 0), (0, 30)]):
        with pytest.raises(ValueError, match="recording"):
            check_recordings(signals, offsets)
    with pytest.raises(ValueError, match="float64"):
        check_recordings(signals.astype(np.float64), [(0, 30)])


def test_a_change_that_keeps_size_and_time_shows_in_a_full_check(copy: Path) -> None:
    path = copy / "signals.npy"
    before = path.stat()
    _overwrite("signals.npy", 4000, bytes(400))(copy)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    prepared = Prepared(copy)
    with pytest.raises(DamagedError, match=r"signals\.npy was changed"):
        prepared.verify()


def test_a_copy_is_compared_once(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("signals.npy", "windows.npz"):
        os.utime(copy / name, ns=(1, 1))
    Prepared(copy)

    def refuse(_: Path) -> str:
        raise AssertionError("the digest was known")

    monkeypatch.setattr(folder, "sha256_of", refuse)
    Prepared(copy)


def test_the_writer_appends_recording_after_recording(tmp_path: Path) -> None:
    signals = [np.random.default_rng(i).standard_normal((2, 50 + i)) for i in range(12)]
    with (tmp_path / "signals.npy").open("wb") as file:
        writer = Writer(file)
        offsets = [
            writer.append(Recording(signal.astype(np.float32), tmp_path / "x", ("a", "b")))
            for signal in signals
        ]
        writer.finish()
    assert offsets == np.cumsum([0, *(s.size for s in signals[:-1])]).tolist()
    expected = np.concatenate([s.astype(np.float32).ravel() for s in signals])
    np.testing.assert_array_equal(open_signals(tmp_path), expected)


def test_a_new_folder_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "target"
    with new_folder(target) as temporary:
        (temporary / "prepared.json").write_text("{}")
        assert not target.exists()
    assert contents(tmp_path) == {"deep/target/prepared.json": b"{}"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, FaultdiagError])
def test_a_new_folder_that_fails_vanishes(tmp_path: Path, error: type[BaseException]) -> None:
    def fail() -> None:
        with new_folder(tmp_path / "target") as temporary:
            (temporary / "signals.npy").write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_whole_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "signals.npy").write_text("left by a crash")
    with new_folder(tmp_path / "target") as temporary:
        (temporary / "prepared.json").write_text("{}")
    assert contents(tmp_path) == {"target/prepared.json": b"{}"}


def test_what_a_killed_process_left_is_replaced(tmp_path: Path) -> None:
    (tmp_path / ".target.writing").mkdir()
    (tmp_path / ".target.writing" / "signals.npy").write_text("left by a kill")
    with new_folder(tmp_path / "target") as temporary:
        (temporary / "prepared.json").write_text("{}")
    assert contents(tmp_path) == {"target/prepared.json": b"{}"}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "whatever"), "No space left on device"),
        (OSError("400 requested and 17 written"), "No space left on device"),
        (PermissionError(errno.EACCES, "whatever"), "Permission denied"),
    ],
)
def test_a_folder_that_cannot_be_written(tmp_path: Path, error: OSError, reason: str) -> None:
    def fail() -> None:
        with new_folder(tmp_path / "target"):
            raise error

    expected = (
        rf"cannot write the prepared folder .*target: {reason}; free some space or choose another "
        r"place with data\.prepared"
    )
    with pytest.raises(FaultdiagError, match=expected):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    def fail() -> None:
        with new_folder(tmp_path / "file" / "target"):
            pass

    with pytest.raises(FaultdiagError, match=r"cannot write the prepared folder .*Not a directory"):
        fail()


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("something else")

    def fail() -> None:
        with new_folder(tmp_path / "target") as temporary:
            (temporary / "prepared.json").write_text("{}")

    with pytest.raises(FaultdiagError, match=r"cannot write the prepared folder \S+target: Not a"):
        fail()
    assert contents(tmp_path) == {"target": b"something else"}
