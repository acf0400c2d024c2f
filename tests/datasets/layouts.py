"""Small folders laid out as the publishers of the sets ship them, and as mirrors rename them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.data_fixtures import signal

# Frequencies, in shares of the sampling rate, that tell classes apart.
SHARES = {"N": 0.04, "IR": 0.10, "OR": 0.17, "B": 0.24, "C": 0.31, "other": 0.38}


def wave(code: str, samples: int, seed: int) -> NDArray[np.float64]:
    """A sine in noise whose frequency is that of the class."""
    share = SHARES.get(code, SHARES["other"])
    return signal(share, 1.0, samples, seed)


def text(path: Path, columns: NDArray[np.float64], separator: str = ",", head: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = "\n".join(separator.join(f"{value:.6f}" for value in row) for row in columns)
    path.write_text(f"{head}{rows}\n")


def mat(path: Path, **variables: object) -> None:
    from scipy.io import savemat

    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, variables)


def jnu(root: Path, samples: int = 6000) -> None:
    for i, (part, code) in enumerate((("n", "N"), ("ib", "IR"), ("ob", "OR"), ("tb", "B"))):
        for rpm in (600, 800):
            name = f"{part}{rpm}_{'3_2' if part == 'n' else '2'}.csv"
            text(root / name, wave(code, samples, i * 10 + rpm)[:, None])


def hust(root: Path, samples: int = 6000) -> None:
    for i, (letters, code) in enumerate((("N", "N"), ("I", "IR"), ("IO", "other"))):
        for load in (0, 4):
            variables = {
                "data": wave(code, samples, 10 * i + load)[:, None],
                "fs": np.array([[24.75 - 0.5 * load]]),
                "rpm": np.linspace(0, 1485, 400)[:, None],
                "ru": np.zeros((400, 1)),
            }
            mat(root / "HUST bearing dataset" / f"{letters}60{load}.mat", **variables)


def uored_table(code: str, samples: int, seed: int) -> NDArray[np.float64]:
    table = np.zeros((samples, 5))
    table[:, 0] = wave(code, samples, seed)
    table[:, 1] = wave("other", samples, seed + 100)
    table[0, 2:4] = 1749.9, 402.5
    table[:, 4] = 1.5 + 0.01 * wave("N", samples, seed + 200)
    return table


def uored(root: Path, samples: int = 6000) -> None:
    mats = root / "3_MatLab_Raw_Data_Files (.mat)"
    for i, (folder, letter, bearing, code) in enumerate(
        (("2_Inner_Race_Faults", "I", 1, "IR"), ("4_Ball_Faults", "B", 11, "B"))
    ):
        healthy = f"H_{bearing}_0"
        mat(mats / "1_Healthy" / f"{healthy}.mat", **{healthy: uored_table("N", samples, i)})
        for stage in (1, 2):
            name = f"{letter}_{bearing}_{stage}"
            table = uored_table(code, samples, 10 * i + stage)
            mat(mats / folder / f"{name}.mat", **{name: table})
            text(root / "1_CSV_Raw_Data_Files (.csv)" / folder / f"{name}.csv", table)


SEU_HEAD = (
    "Title:\tHealth_20_0_1-10\nParameters:\n\nDAQ\tSettings:\nFrequency\tLimit\t2000\n"
    "Spectral\tLines\t1600\nNumber\tof\tBlocks\t1024\nTotal\tData\tRows\t4194304\nChannels:\n"
    "Legend\tChannel1\tChannel2\tChannel3\tChannel4\tChannel5\tChannel6\tChannel7\tChannel8\n\n"
    "On/Off\tON\tON\tON\tON\tON\tON\tON\tON\n\nVolts/Unit\t1\t1\t1\t1\t1\t1\t1\t1\n\nData\n"
)


def seu(root: Path, samples: int = 6000) -> None:
    names = (("bearingset", "health", "N"), ("bearingset", "ball", "B"), ("gearset", "Miss", "C"))
    for i, (part, word, code) in enumerate(names):
        for condition in ("20_0", "30_2"):
            columns = np.stack([wave(code, samples, 100 * i + j) for j in range(8)], axis=1)
            comma = (word, condition) == ("ball", "20_0")
            separator = "," if comma else "\t"
            head = SEU_HEAD.replace("\t", ",") if comma else SEU_HEAD
            path = root / "gearbox" / part / f"{word}_{condition}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = (separator.join(f"{v:.6f}" for v in row) + separator for row in columns)
            path.write_text(head + "\n".join(rows) + "\n")


def xjtu_sy(root: Path, samples: int = 32768) -> None:
    head = "Horizontal_vibration_signals,Vertical_vibration_signals\n"
    for condition, bearing, snapshots, code in (
        ("35Hz12kN", "Bearing1_5", (1, 2, 30, 51, 52), "other"),
        ("37.5Hz11kN", "Bearing2_4", (1, 2, 20, 41, 42), "OR"),
    ):
        for snapshot in snapshots:
            at_end = snapshot > 40
            columns = [wave(code if at_end else "N", samples, snapshot + j) for j in (0, 500)]
            path = root / "XJTU-SY_Bearing_Datasets" / condition / bearing / f"{snapshot}.csv"
            text(path, np.stack(columns, axis=1), head=head)


def ims(root: Path, samples: int = 20480) -> None:
    for folder, start, hours in (
        ("1st_test", datetime(2003, 10, 22, 12, 6, 24), (0, 827)),
        ("4th_test/txt", datetime(2004, 3, 4, 9, 27, 46), (0, 753, 900)),
    ):
        for hour in hours:
            name = (start + timedelta(hours=hour)).strftime("%Y.%m.%d.%H.%M.%S")
            at_end = hour > 700
            count = 8 if folder == "1st_test" else 4
            codes = ["OR" if at_end and i // (count // 4) == 2 else "N" for i in range(count)]
            columns = [wave(code, samples, int(hour) + i) for i, code in enumerate(codes)]
            text(root / folder / name, np.stack(columns, axis=1), "\t")


def femto(root: Path, samples: int = 2560) -> None:
    lives = (("Learning_set", "Bearing1_1", 2803), ("Full_Test_Set", "Bearing1_4", 1428))
    for folder, bearing, last in lives:
        for snapshot in (*range(1, 7), last // 2, *range(last - 5, last + 1)):
            femto_snapshot(root / folder / bearing, snapshot, samples, at_end=snapshot > last - 9)
    for snapshot in (1, 2):
        # The same lives, cut short, with another separator.
        femto_snapshot(root / "Test_set" / "Bearing1_4", snapshot, samples, separator=",")
    text(root / "Learning_set/Bearing1_1/temp_00001.csv", np.full((600, 5), 70.0), ";")


def femto_snapshot(
    folder: Path, snapshot: int, samples: int, *, at_end: bool = False, separator: str = ""
) -> None:
    mark = separator or (";" if folder.name == "Bearing1_4" else ",")
    times = [9 + snapshot // 360, snapshot // 6 % 60, snapshot % 6 * 10]
    sides = [wave("other" if at_end else "N", samples, snapshot + j) for j in (0, 5000)]
    rows = (
        mark.join(
            [*map(str, times), f"{i * 39.0625:.4e}", f"{sides[0][i]:.3f}", f"{sides[1][i]:.3f}"]
        )
        for i in range(samples)
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"acc_{snapshot:05}.csv").write_text("\n".join(rows) + "\n")


def mafaulda(root: Path, samples: int = 6000) -> None:
    states = (
        ("normal", "N"),
        ("imbalance/6g", "other"),
        ("underhang/outer_race/0g", "OR"),
        ("overhang/ball_fault/20g", "B"),
    )
    for i, (folder, code) in enumerate(states):
        for speed in ("12.288", "61.44"):
            columns = np.stack([wave(code, samples, 50 * i + j) for j in range(8)], axis=1)
            columns[:, 0] = np.arange(samples) % 800 < 20
            text(root / folder / f"{speed}.csv", columns)


def paderborn(root: Path, samples: int = 6000) -> None:
    for i, (bearing, code) in enumerate((("K001", "N"), ("KA01", "OR"), ("KB27", "other"))):
        for condition in ("N15_M07_F10", "N09_M07_F10"):
            name = f"{condition}_{bearing}_1"
            vibration = wave(code, samples, 20 * i + len(condition))
            mat(root / bearing / f"{name}.mat", **{name: paderborn_struct(vibration, condition)})


def paderborn_struct(vibration: NDArray[np.float64], condition: str) -> NDArray[np.void]:
    """The nested struct of the publisher's files: Info, X, Y and Description."""
    slow = max(vibration.size // 16, 2)
    rpm = 1500.0 if condition.startswith("N15") else 900.0
    channels = (
        ("force", np.full(slow, 1000.0), "Mech_4kHz"),
        ("phase_current_1", 0.1 * vibration, "HostService"),
        ("speed", np.full(slow, rpm) + np.linspace(-0.2, 0.2, slow), "Mech_4kHz"),
        ("temp_2_bearing_module", np.full(5, 45.0), "Temp_1Hz"),
        ("torque", np.full(slow, 0.7), "Mech_4kHz"),
        ("vibration_1", vibration, "HostService"),
    )
    rasters = (("HostService", vibration.size, 64_000.0), ("Mech_4kHz", slow, 4000.0))
    axes = np.zeros((1, len(rasters)), dtype=[("Name", "O"), ("Raster", "O"), ("Data", "O")])
    for i, (raster, count, rate) in enumerate(rasters):
        axes[0, i] = ("time", raster, np.arange(count)[None, :] / rate)
    fields = [("Name", "O"), ("Type", "O"), ("Data", "O"), ("Unit", "O"), ("Raster", "O")]
    values = np.zeros((1, len(channels)), dtype=fields)
    for i, (name, data, raster) in enumerate(channels):
        values[0, i] = (name, "", data[None, :], "", raster)
    struct = np.zeros((1, 1), dtype=[("Info", "O"), ("X", "O"), ("Y", "O"), ("Description", "O")])
    struct[0, 0] = ("measurement", axes, values, "")
    return struct


@dataclass(frozen=True)
class SetCase:
    """A set to try: how to write it, what to read, and what its documentation says.

    Parameters
    ----------
    name, write
        The dataset, and what writes a small copy of it.
    channel
        The one to train on.
    sampling_rate, samples
        Of each recording; those of the small copy where `write` cuts recordings short.
    classes
        Labels in the small copy.
    recordings
        How many documented recordings there are; None where the speeds in names aren't listed.
    rpms
        Shaft speeds in the small copy.
    """

    name: str
    write: Callable[[Path], None]
    channel: str
    sampling_rate: float
    samples: int
    classes: tuple[str, ...]
    recordings: int | None
    rpms: tuple[float, ...]


def cases() -> Iterator[SetCase]:
    yield SetCase("jnu", jnu, "vibration", 50_000, 6000, ("B", "IR", "N", "OR"), 12, (600, 800))
    yield SetCase("hust", hust, "data", 51_200, 6000, ("IR", "IR+OR", "N"), 99, (1365, 1485))
    yield SetCase("uored", uored, "vibration", 42_000, 6000, ("B", "IR", "N"), 60, (1750,))
    yield SetCase(
        *("seu", seu, "planetary_x", 5120, 6000),
        ("bearingset B", "bearingset N", "gearset missing"),
        *(20, (1200, 1800)),
    )
    xjtu_codes = ("IR+OR", "N", "OR")
    yield SetCase("xjtu_sy", xjtu_sy, "vertical", 25_600, 32_768, xjtu_codes, 9216, (2100, 2250))
    yield SetCase("ims", ims, "x", 20_000, 20_480, ("B", "IR", "N", "OR"), None, (2000,))
    yield SetCase("femto", femto, "horizontal", 25_600, 2560, ("F", "N"), 24_889, (1800,))
    faults = ("ball", "imbalance", "normal", "outer")
    yield SetCase(
        *("mafaulda", mafaulda, "underhang_radial", 50_000, 6000, faults, None),
        (737.28, 3686.4),
    )
    codes = ("IR+OR", "N", "OR")
    yield SetCase("paderborn", paderborn, "vibration_1", 64_000, 6000, codes, 2560, (900, 1500))


CASES = tuple(cases())
