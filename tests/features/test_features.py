"""Features say what they claim about signals whose physics is known, and nothing about scale."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from faultdiag.errors import FaultdiagError
from faultdiag.features import extract
from faultdiag.features.extract import STATISTICS, band_energies, statistics
from faultdiag.features.orders import (
    BANDS,
    NOISE_MEAN,
    NOISE_SPREAD,
    PARTS,
    SLIP,
    Bands,
    Comb,
    Teeth,
    fault_orders,
    impulsiveness,
    next_fast_length,
    scores,
    summarise,
    whiten,
)
from faultdiag.signal.bearings import Bearing, get_bearing
from faultdiag.signal.dsp import statistics as dsp_statistics

Array = NDArray[np.float64]

DRIVE_END = get_bearing("6205")
FS = 12_000.0
SHAFT = 29.95


def impacts(
    order: float,
    *,
    fs: float = FS,
    seconds: float = 1.0,
    shaft: float = SHAFT,
    modulation: float = 0.0,
    noise: float = 0.3,
    seed: int = 0,
) -> Array:
    """Impacts at an order of the shaft that ring at a quarter of the sampling rate, in noise."""
    rng = np.random.default_rng(seed)
    x = noise * rng.standard_normal(round(seconds * fs))
    ringing = np.arange(round(0.004 * fs))
    ring = np.exp(-ringing / (0.001 * fs)) * np.sin(np.pi / 2 * ringing)
    steps = 1 + 0.005 * rng.standard_normal(int(seconds * order * shaft))
    for time in np.cumsum(steps) / (order * shaft):
        first = int(time * fs)
        piece = x[first : first + ring.size]
        piece += (1 + np.cos(2 * np.pi * modulation * shaft * time)) * ring[: piece.size]
    return x


def scored(x: Array, group: str = "whitened", summary: str = "largest", **options: object) -> Array:
    """Scores of the three parts, ``(windows, 3)``, of windows ``(windows, length)``."""
    chosen = {"sampling_rate": FS, "shaft_rates": np.full(len(x), SHAFT), "bearing": DRIVE_END}
    table = extract.compute(x[:, None], **(chosen | options))  # type: ignore[arg-type]
    columns = extract.names(["X"])
    return table[:, [columns.index(f"{group}.{part}.{summary}[X]") for part in PARTS]]


def noise(windows: int, length: int, channels: int = 1, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal((windows, channels, length))


@pytest.fixture(scope="module")
def table() -> Array:
    """Features of ten windows of noise on two channels."""
    return extract.compute(
        noise(10, 2048, 2), FS, shaft_rates=np.full(10, SHAFT), bearing=DRIVE_END
    )


class TestNames:
    def test_there_is_one_for_each_column(self, table: Array) -> None:
        assert table.shape == (10, len(extract.names(["DE", "FE"])))
        without = extract.compute(noise(2, 2048, 2), FS)
        assert without.shape == (2, len(extract.names(["DE", "FE"], orders=False)))

    def test_they_are_distinct_and_of_the_documented_groups(self) -> None:
        columns = extract.names(["DE", "FE"])
        assert len(set(columns)) == len(columns)
        assert set(dict.fromkeys(c.split(".")[0] for c in columns)) == set(extract.GROUPS)

    def test_without_orders_the_other_columns_stay_as_they_are(self, table: Array) -> None:
        columns, fewer = (extract.names(["DE", "FE"], orders=known) for known in (True, False))
        kept = [columns.index(name) for name in fewer]
        assert {c.split(".")[0] for c in set(columns) - set(fewer)} == set(extract.ORDER_GROUPS)
        assert np.array_equal(extract.compute(noise(10, 2048, 2), FS), table[:, kept])

    def test_one_of_speed_and_bearing_alone_gives_no_orders(self) -> None:
        x = noise(2, 512)
        expected = extract.compute(x, FS)
        assert np.array_equal(extract.compute(x, FS, bearing=DRIVE_END), expected)
        assert np.array_equal(extract.compute(x, FS, shaft_rates=np.full(2, SHAFT)), expected)

    def test_a_tone_shows_in_the_column_that_names_its_band(self) -> None:
        x = np.sin(2 * np.pi * 1000 * np.arange(2400) / FS)[None, None]
        row = dict(zip(extract.names(["X"], orders=False), extract.compute(x, FS)[0], strict=True))
        assert row["energy.03[X]"] == pytest.approx(0, abs=1e-6)  # 900 to 1350 Hz
        assert row["energy.04[X]"] < -6
        assert row["time.kurtosis[X]"] == pytest.approx(np.log10(1.5))


class TestCompute:
    @given(
        gain=st.floats(1e-3, 1e3),
        offset=st.floats(-10, 10),
        seed=st.integers(0, 10),
        length=st.sampled_from([256, 1000, 2048, 3001]),
    )
    @settings(max_examples=20, deadline=None)
    def test_gain_and_offset_change_nothing(
        self, gain: float, offset: float, seed: int, length: int
    ) -> None:
        x = noise(2, length, seed=seed)
        options = {"shaft_rates": np.full(2, SHAFT), "bearing": DRIVE_END}
        expected = extract.compute(x, FS, **options)  # type: ignore[arg-type]
        found = extract.compute(gain * (x + offset), FS, **options)  # type: ignore[arg-type]
        assert found == pytest.approx(expected, abs=2e-3)

    def test_a_row_does_not_depend_on_the_others(self) -> None:
        x, rates = noise(7, 2048, 2), np.array([30.0, 20, 30, 25, 20, 30, 30])
        whole = extract.compute(x, FS, shaft_rates=rates, bearing=DRIVE_END)
        for i in range(7):
            one = extract.compute(x[i : i + 1], FS, shaft_rates=rates[i : i + 1], bearing=DRIVE_END)
            assert one[0] == pytest.approx(whole[i], abs=1e-4)

    def test_the_channels_stand_one_after_the_other(self, table: Array) -> None:
        x = noise(10, 2048, 2)
        for channel in (0, 1):
            alone = extract.compute(
                x[:, [channel]], FS, shaft_rates=np.full(10, SHAFT), bearing=DRIVE_END
            )
            assert np.array_equal(alone, table[:, 39 * channel : 39 * (channel + 1)])

    def test_chunks_change_nothing(self, table: Array, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(extract, "CHUNK_SAMPLES", 3 * 2048)
        found = extract.compute(
            noise(10, 2048, 2), FS, shaft_rates=np.full(10, SHAFT), bearing=DRIVE_END
        )
        assert found == pytest.approx(table, abs=1e-4)

    def test_memory_does_not_grow_with_the_windows(self) -> None:
        peaks = []
        for count in (64, 192):
            x = noise(count, 2048).astype(np.float32)
            rates = np.full(count, SHAFT)
            tracemalloc.start()
            extract.compute(x, FS, shaft_rates=rates, bearing=DRIVE_END)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert peaks[1] < peaks[0] + 192 * 39 * 8 * 4
        assert peaks[0] < 40e6

    def test_no_windows_give_no_rows(self) -> None:
        found = extract.compute(noise(0, 2048), FS, shaft_rates=np.zeros(0), bearing=DRIVE_END)
        assert found.shape == (0, 39)

    @pytest.mark.parametrize("value", [0.0, 0.1, -3e8])
    def test_a_constant_channel_gives_zeros(self, value: float) -> None:
        x = noise(3, 512, 2)
        x[1, 0] = np.float32(value)
        found = extract.compute(x, FS, shaft_rates=np.full(3, SHAFT), bearing=DRIVE_END)
        assert not found[1, :39].any()
        assert found[1, 39:].any()
        assert found[[0, 2], :39].any(axis=1).all()

    @pytest.mark.parametrize(
        "x",
        [
            np.eye(1, 2048, 700)[0],
            np.sin(2 * np.pi * np.arange(2048) / 64),
            np.repeat([0.0, 1.0], 1024),
            np.tile([1.0, -1.0], 1024),
            1e-30 * np.random.default_rng(0).standard_normal(2048),
            np.arange(2048.0),
        ],
        ids=["click", "tone", "step", "nyquist", "faint", "ramp"],
    )
    def test_odd_signals_give_finite_features(self, x: Array) -> None:
        found = extract.compute(x[None, None], FS, shaft_rates=np.array([SHAFT]), bearing=DRIVE_END)
        assert np.isfinite(found).all()
        assert np.abs(found).max() < 100

    def test_windows_that_are_too_short_are_refused(self) -> None:
        with pytest.raises(FaultdiagError, match=r"windows of 255 samples; they need 256 or more"):
            extract.compute(noise(1, 255), FS)

    def test_a_sampling_rate_must_be_positive(self) -> None:
        with pytest.raises(FaultdiagError, match=r"the sampling rate is 0 Hz; give a positive"):
            extract.compute(noise(1, 512), 0.0)

    @pytest.mark.parametrize("rate", [0.0, -1.0, np.nan, np.inf])
    def test_a_shaft_rate_must_be_positive(self, rate: float) -> None:
        with pytest.raises(
            FaultdiagError, match=r"shaft rate of window 1 is .* must be a positive"
        ):
            extract.compute(
                noise(2, 512), FS, shaft_rates=np.array([30.0, rate]), bearing=DRIVE_END
            )

    def test_there_must_be_a_shaft_rate_per_window(self) -> None:
        with pytest.raises(ValueError, match=r"must be \(2,\), one per window; found \(3,\)"):
            extract.compute(noise(2, 512), FS, shaft_rates=np.ones(3), bearing=DRIVE_END)


class TestPhysics:
    @pytest.mark.parametrize("slip", [-0.012, 0.0, 0.012])
    @pytest.mark.parametrize("part", PARTS)
    @pytest.mark.parametrize(
        ("bearing", "fs", "shaft"),
        [("6205", 12_000.0, 29.95), ("6203", 12_000.0, 29.0), ("NICE", 48_828.0, 25.0)],
    )
    def test_impacts_raise_their_own_part(
        self, part: str, slip: float, bearing: str, fs: float, shaft: float
    ) -> None:
        geometry = get_bearing(bearing)
        orders = geometry.orders
        order = {"bpfi": orders.bpfi, "bpfo": orders.bpfo, "bsf": 2 * orders.bsf}[part]
        modulation = {"bpfi": 1.0, "bpfo": 0.0, "bsf": orders.ftf}[part]
        x = impacts(order * (1 + slip), fs=fs, shaft=shaft, modulation=modulation)[None]
        for group in extract.ORDER_GROUPS:
            found = dict(
                zip(
                    PARTS,
                    scored(
                        x,
                        group,
                        sampling_rate=fs,
                        shaft_rates=np.array([shaft]),
                        bearing=geometry,
                    )[0],
                    strict=True,
                )
            )
            assert found[part] > 5
            assert all(found[other] < found[part] - 1 for other in PARTS if other != part)

    def test_impacts_at_no_order_of_the_bearing_raise_none(self) -> None:
        assert scored(impacts(4.15)[None]).max() < 4

    @pytest.mark.parametrize(("length", "windows"), [(2048, 300), (12_000, 60)])
    def test_noise_stays_below_the_threshold(self, length: int, windows: int) -> None:
        x = noise(windows, length)[:, 0]
        for group in extract.ORDER_GROUPS:
            assert np.quantile(scored(x, group), 0.99) < 4
            assert np.abs(np.median(scored(x, group, "median"))) < 2

    def test_a_longer_window_sees_fainter_impacts(self) -> None:
        x = impacts(DRIVE_END.orders.bpfo, seconds=8, noise=1.5)
        means = [
            scored(x[: x.size // n * n].reshape(-1, n), "envelope", "mean")[:, 1].mean()
            for n in (2048, 12_000, 48_000)
        ]
        assert means[0] < means[1] < means[2]

    def test_whitening_uncovers_impacts_under_a_modulated_hum(self) -> None:
        time = np.arange(12_000) / FS
        carriers = (700.0, 1900.0, 3000.0, 4100.0, 5300.0)
        hum = sum(np.sin(2 * np.pi * f * time + f) for f in carriers)
        beating = 1 + 0.5 * np.cos(2 * np.pi * 2.0 * SHAFT * time)
        x = impacts(DRIVE_END.orders.bpfi, modulation=1.0) + 10 * beating * hum
        raw, white = (scored(x[None], group, "mean")[0, 0] for group in extract.ORDER_GROUPS)
        assert raw < 3
        assert white > raw + 1

    def test_orders_out_of_reach_count_as_nothing_seen(self) -> None:
        x = noise(4, 2048)[:, 0]
        assert not scored(x, shaft_rates=np.full(4, 1000.0)).any()
        assert not scored(x, shaft_rates=np.full(4, 0.1)).any()
        assert scored(x, shaft_rates=np.full(4, 100.0)).any()


class TestWaveform:
    @given(st.integers(0, 1000))
    @settings(max_examples=10)
    def test_statistics_agree_with_those_of_the_signal(self, seed: int) -> None:
        x = np.random.default_rng(seed).gamma(2, size=(1, 500))
        x = (x - x.mean()) / x.std()
        found = dict(zip(STATISTICS, statistics(x)[0], strict=True))
        expected = dsp_statistics(x[0])
        assert found["skewness"] == pytest.approx(expected["skewness"])
        assert 10 ** found["kurtosis"] == pytest.approx(expected["kurtosis"])
        assert 10 ** found["crest"] == pytest.approx(expected["crest_factor"])
        assert found["impulse"] == pytest.approx(found["crest"] + found["shape"])

    def test_reference_values_of_a_square_wave_and_a_sine(self) -> None:
        square = np.tile([1.0, 1.0, -1.0, -1.0], 64)[None]
        assert statistics(square) == pytest.approx(0)
        sine = np.sqrt(2) * np.sin(2 * np.pi * np.arange(4096) / 4096)[None]
        expected = [0, 1.5, np.sqrt(2), np.pi / np.sqrt(8), np.pi / 2]
        assert 10 ** statistics(sine)[0, 1:5] == pytest.approx(expected[1:])

    def test_shares_of_the_energy_add_up(self) -> None:
        lines = np.fft.rfft(noise(3, 1000)[:, 0])
        assert (10 ** band_energies(lines, 12)).sum(axis=1) == pytest.approx(1, abs=1e-6)

    def test_what_lies_in_the_last_tenth_is_not_seen(self) -> None:
        lines = np.fft.rfft(noise(2, 1000)[:, 0])
        shut = lines.copy()
        shut[:, 451:] = 0
        assert np.array_equal(band_energies(lines, 12), band_energies(shut, 12))


class TestEnvelopes:
    @pytest.mark.parametrize("length", [256, 1001, 2048, 12_000])
    def test_the_bands_cover_the_spectrum_and_overlap(self, length: int) -> None:
        plan = Bands(length)
        *narrow, full = plan.edges
        assert len(narrow) == BANDS
        assert full == (1, length // 2 + 1)
        assert (narrow[0][0], narrow[-1][1]) == full
        assert {stop - start for start, stop in narrow} == {plan.reach}
        assert all(later[0] < earlier[1] for earlier, later in pairwise(narrow))

    def test_the_envelope_of_a_modulated_tone_has_the_line_of_its_modulation(self) -> None:
        time = np.arange(12_000) / FS
        x = (1 + 0.5 * np.cos(2 * np.pi * 110 * time)) * np.sin(2 * np.pi * 3000 * time)
        plan = Bands(12_000)
        levels = plan.levels(plan.envelopes(np.fft.rfft(x)[None]))
        inside = [i for i, edge in enumerate(plan.edges) if edge[0] < 2800 and edge[1] > 3200]
        assert len(inside) >= 2
        assert (levels[0, inside].argmax(axis=-1) == 110).all()

    def test_impulsiveness_is_0_for_noise_and_tells_tones_from_impacts(self) -> None:
        plan = Bands(12_000)
        time = np.arange(12_000) / FS
        tone = np.sin(2 * np.pi * 3000 * time)
        for x, least, most in (
            (noise(1, 12_000)[0, 0], -0.05, 0.05),
            (tone, -9, -2),
            (impacts(3.585, noise=0.01), 0.2, 1.5),
        ):
            full = plan.envelopes(np.fft.rfft(x)[None])[-1:]
            assert least < impulsiveness(full)[0, 1] < most

    def test_whitening_keeps_phases_and_evens_magnitudes(self) -> None:
        lines = np.fft.rfft(noise(2, 500)[:, 0])
        white = whiten(lines)
        assert np.abs(white) == pytest.approx(1, abs=1e-3)
        assert np.angle(white) == pytest.approx(np.angle(lines))
        assert not whiten(np.array([[0, 0, 0, 1j]]))[0, :3].any()

    def test_summaries_are_over_the_bands(self) -> None:
        assert summarise(np.array([[1.0, 2.0, 6.0]])).tolist() == [[6.0, 3.0, 2.0]]

    @given(st.integers(1, 5000))
    @settings(max_examples=30)
    def test_next_fast_length_has_small_factors(self, samples: int) -> None:
        found = next_fast_length(samples)
        assert samples <= found < 1.2 * samples + 3
        for prime in (2, 3, 5, 7):
            while found % prime == 0:
                found //= prime
        assert found == 1


class TestOrders:
    def test_the_orders_of_a_part_and_its_sidebands(self) -> None:
        orders, found = DRIVE_END.orders, fault_orders(DRIVE_END)
        assert found["bpfo"] == [(k * orders.bpfo, 0) for k in (1, 2, 3, 4)]
        assert (2 * orders.bpfi, -1) in found["bpfi"]
        assert (6 * orders.bsf, orders.ftf) in found["bsf"]
        assert [len(found[part]) for part in PARTS] == [9, 4, 9]

    def test_lines_of_noise_have_the_stated_mean_and_spread(self) -> None:
        plan = Bands(48_000)
        levels = plan.levels(plan.envelopes(np.fft.rfft(noise(4, 48_000)[:, 0])))[..., 10:500]
        z = (levels - np.median(levels, axis=-1, keepdims=True) - NOISE_MEAN) / NOISE_SPREAD
        assert z.mean() == pytest.approx(0, abs=0.03)
        assert z.std() == pytest.approx(1, abs=0.03)

    def test_a_comb_is_read_where_it_is_with_its_slip(self) -> None:
        teeth = Teeth([(4.0, 0.0), (8.0, 0.0)], lines=30.0, reach=400)
        levels = np.zeros((1, 2, 400), dtype=np.float32)
        levels[0, 0, [121, 242]] = 1.0  # 4 and 8 orders of 30 lines, 0.8 % fast
        levels[0, 1, [121, 238]] = 1.0  # two peaks that no slip brings together
        together, apart = scores(levels, teeth)[0]
        expected = (1 - NOISE_MEAN) * np.sqrt(2) / NOISE_SPREAD
        assert 0.8 * expected < together <= expected + 1e-3
        assert apart < 0.8 * together

    def test_slips_are_no_further_apart_than_half_a_line(self) -> None:
        for lines in (3.0, 30.0, 300.0):
            for teeth in Comb(DRIVE_END, lines, 100_000).parts.values():
                assert np.diff(teeth.positions, axis=1).max() <= 0.5 + 1e-9
                middle = teeth.positions[:, teeth.positions.shape[1] // 2]
                assert teeth.positions.max() <= middle.max() + SLIP * 20 * lines

    def test_orders_that_the_spectrum_does_not_reach_are_left_out(self) -> None:
        comb = Comb(Bearing("b", 9, 0.3126, 1.537), lines=30.0, reach=290)
        assert {part: len(teeth.positions) for part, teeth in comb.parts.items()} == {
            "bpfi": 3,
            "bpfo": 2,
            "bsf": 5,
        }
