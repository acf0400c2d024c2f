"""Reports for the tests of pages: a few recordings, some of them hostile or incomplete."""

from datetime import datetime

import numpy as np

from faultdiag.evidence.details import SignalViews, measure_views
from faultdiag.evidence.explanation import (
    BandRelevance,
    Explanation,
    FrontRelevance,
    Gate,
    TimeRelevance,
)
from faultdiag.evidence.gather import Evidence, Machine, gather
from faultdiag.features.extract import statistics_of_windows, summarise
from faultdiag.report.pages.prediction import ModelFacts, PredictionReport, RecordingResult
from faultdiag.report.pages.protocol import ProtocolReport
from faultdiag.report.pages.run import Failure, RunReport
from faultdiag.signal.bearings import get_bearing
from tests.evidence.signals import FS, RPM, impacts

MADE = datetime(2025, 1, 2, 3, 4)
BEARING = get_bearing("6205")
HOSTILE = (
    "<script>alert(1)</script>.mat",
    "a\nb\r\x1b[31mred\x07.mat",
    "evil\u202egpj.mat",
    '"><img src=x onerror=alert(1)>.mat',
    "{{ 7 * 7 }}{% raw %}.mat",
    "]]>--><!--.mat",
    "|x|`y`*z*_w_.mat",
)
MODEL = ModelFacts(
    "runs/rig", ("N", "IR", "OR", "B"), ("N",), 12_000.0, 0.17, ("DE",), novelty=True
)


def evidence_of(label: str, *, rpm: float | None = RPM, known: bool = True) -> Evidence:
    x = impacts(5.40, seconds=4.0, jitter=0.01, modulation=0.8)[None]
    machine = Machine(FS, rpm, BEARING if known else None)
    statistics = summarise(statistics_of_windows(x[0, :46_000].reshape(-1, 2000)))
    return gather(x, ["DE"], machine, [statistics]).compared_with(label, ["N"])


def views(*, rpm: float | None = RPM, seconds: float = 4.0) -> SignalViews:
    x = impacts(5.40, seconds=seconds)
    return measure_views(x, FS, channel="DE", band=(2400.0, 3600.0), rpm=rpm, bearing=BEARING)


def explanation() -> Explanation:
    rng = np.random.default_rng(0)
    return Explanation(
        label="IR",
        windows=16,
        bands=BandRelevance(np.linspace(0, 6000, 25), rng.normal(size=24) / 10, 0.97, 16),
        time=TimeRelevance(
            1.5,
            FS,
            rng.normal(size=2048),
            {"gradient_x_input": rng.normal(size=2048), "grad_cam": np.abs(rng.normal(size=2048))},
        ),
        front=FrontRelevance("shaft order", np.linspace(0, 20, 512), rng.normal(size=512)),
        gates=(Gate("attention.at.2", "EfficientChannelAttention", rng.uniform(size=32)),),
        missing=("grad_cam: Grad-CAM needs a convolution, and this network has none",),
    )


def result(path: str = "data/1.mat", label: str = "IR", **changes: object) -> RecordingResult:
    values: dict[str, object] = {
        "path": path,
        "label": label,
        "confidence": 0.93,
        "agreement": 0.9,
        "windows": 20,
        "probabilities": {"IR": 0.93, "OR": 0.05, "N": 0.02, "B": 0.0},
        "novelty": 0.4,
        "sampling_rate": float(FS),
        "sampling_rate_source": "file",
        "rpm": RPM,
        "channel": "DE",
        "bearing": BEARING,
        "evidence": evidence_of(label),
        "views": views(),
    }
    return RecordingResult(**(values | changes))  # type: ignore[arg-type]


def incomplete() -> list[RecordingResult]:
    """One recording for each thing that can be missing."""
    return [
        result(
            "no/speed.mat", rpm=None, evidence=evidence_of("IR", rpm=None), views=views(rpm=None)
        ),
        result("no/bearing.mat", bearing=None, evidence=evidence_of("IR", known=False)),
        result("no/evidence.mat", evidence=None, views=None),
        result("one/window.mat", windows=1, agreement=1.0, views=views(seconds=0.2)),
        result("no/novelty.mat", novelty=None),
        RecordingResult("no/diagnosis.mat", error="no/diagnosis.mat can't be read: it is empty"),
        RecordingResult("nothing.mat"),
    ]


def prediction(results: list[RecordingResult] | None = None, **changes: object) -> PredictionReport:
    found = results or [
        result("data/1.mat", explanation=explanation()),
        result("data/2.mat", "OR"),
        result("data/3.mat", "N", confidence=0.6, evidence=None, novelty=3.0),
        *incomplete(),
    ]
    values: dict[str, object] = {"model": MODEL, "results": found, "made": MADE, "version": "1.0"}
    return PredictionReport(**(values | changes))  # type: ignore[arg-type]


def over_time() -> list[RecordingResult]:
    """Two weeks of a bearing whose inner race fails, and a recording of unknown time."""
    days = [
        result(
            f"pump/2025-03-{day:02d}.mat",
            "N" if day < 9 else "IR",
            confidence=0.7 + 0.02 * day,
            evidence=evidence_of("N" if day < 9 else "IR"),
            views=None,
        )
        for day in (3, 1, 2, 8, 9, 12, 14)
    ]
    return [*days, result("pump/other.mat")]


def scores(labels: list[str], unit: str) -> dict[str, object]:
    size = len(labels)
    matrix = (8 * np.eye(size, dtype=int) + np.eye(size, k=1, dtype=int)).tolist()
    per_class = {
        name: {"precision": 0.9, "recall": 1.0 if i else 8 / 9, "f1": 0.94, "auroc": 1.0, unit: 9}
        for i, name in enumerate(labels)
    }
    return {"confusion": {"labels": labels, "matrix": matrix}, "per_class": per_class}


def run(labels: list[str] | None = None, **changes: object) -> RunReport:
    names = labels or ["IR", "N", "OR"]
    reliability = {
        "windows": [1, 0, 20],
        "confidence": [0.4, None, 0.95],
        "accuracy": [0, None, 0.9],
    }
    test = {
        "accuracy": 0.93,
        "macro_f1": 0.92,
        "windows": 27,
        "recordings": 9,
        "recording_accuracy": 8 / 9,
        "false_alarm_rate": 0.0,
        "missed_alarm_rate": None,
        "ece": 0.02,
        "temperature": 1.2,
        "reliability": reliability,
        **scores(names, "windows"),
        "recording": {"accuracy_interval": [0.56, 0.98], **scores(names, "recordings")},
    }
    split = {
        "leak": "recording",
        "disjoint_windows": {"train": 90, "valid": 9, "test": 27},
        "pairs": {"train-test": {"samples": 0, "recordings": 9, "bearings": None}},
        "notes": ["resampled <b>from</b> 48000 Hz"],
    }
    history = [
        {
            "epoch": n,
            "train_loss": 1 / n,
            "valid_loss": 1.1 / n,
            "train_accuracy": 0.9,
            "valid_accuracy": None,
        }
        for n in range(1, 6)
    ]
    values: dict[str, object] = {
        "name": "runs/rig",
        "config": "seed: 0\ndata: {label: '<script>'}\n",
        "healthy": ("N",),
        "metrics": {"test": test, "split": split, "selection": {"best_epoch": 4}},
        "history": history,
        "environment": {"versions": {"torch": "2.13.0"}, "device": "cpu"},
        "failures": [Failure(HOSTILE[0], "IR", "OR", 0.8, 3, result())],
        "made": MADE,
        "version": "1.0",
    }
    return RunReport(**(values | changes))  # type: ignore[arg-type]


def protocol(**changes: object) -> ProtocolReport:
    def row(model: str, mean: float | None, snr: float | None = None) -> dict[str, object]:
        spread = {
            "mean": mean,
            "sd": None if mean is None else 0.01,
            "over_seeds": None if mean is None else [mean - 0.02, mean + 0.01],
            "over_folds": None,
        }
        return {
            "protocol": "across_loads",
            "model": model,
            "snr": snr,
            "accuracy": spread,
            "macro_f1": spread,
            "recordings_right": mean,
            "cells": 2,
            "cells_planned": 2 if mean else 3,
            "classes": 10,
        }

    document = {
        "title": "Comparison of <models>",
        "date": "2025-01-02T03:04:05+00:00",
        "versions": {"torch": ["2.13.0"]},
        "devices": ["cpu"],
        "data": {"dataset": "cwru", "root": "data/cwru"},
        "seeds": [0, 1],
        "models": ["wdcnn", "wdcnn + eca"],
        "protocols": {"across_loads": {"meaning": "other loads", "notes": ["a note"]}},
        "rows": [
            row("wdcnn", 0.93),
            row("wdcnn + eca", None),
            *(row("wdcnn", 0.9 + level / 100, level) for level in (-4.0, 0.0, 4.0)),
        ],
        "failures": [{"cell": HOSTILE[0], "reason": "out of memory"}],
        "notes": [],
        "warnings": ["one warning"],
    }
    return ProtocolReport("out", document | changes, MADE, "1.0")  # type: ignore[operator]
