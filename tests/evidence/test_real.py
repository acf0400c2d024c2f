"""Evidence on real recordings: whose faults are known, and whether lines and verdict agree."""

from pathlib import Path
from typing import NamedTuple

import pytest

from faultdiag.datasets.identify import identify
from faultdiag.evidence.families import fault_families
from faultdiag.evidence.inspection import open_subject
from faultdiag.evidence.peaks import measure_envelopes
from faultdiag.evidence.physics import FAULT_LINES, Part, physics_verdict

PARTS: dict[str, Part] = {"inner": "inner", "outer": "outer", "ball": "ball"}


class Judged(NamedTuple):
    """A recording: its faulty part, the verdict of physics, and the strongest family's fault."""

    name: str
    true: Part | None
    verdict: Part | None
    line: str | None


def judge(path: Path, channel: str) -> Judged | None:
    subject = open_subject(path)
    facts = identify(path) or {}
    if subject.rpm is None or subject.bearing is None or "fault" not in facts:
        return None
    names = list(subject.recording.channels)
    x = subject.recording.signal[names.index(channel) if channel in names else 0]
    rate = subject.sampling_rate
    assert rate is not None
    verdict = physics_verdict(x, rate, subject.rpm, subject.bearing)
    spectra = measure_envelopes(x, rate, rpm=subject.rpm, bearing=subject.bearing)
    families = fault_families(spectra, subject.bearing)
    line = families[0].fault if families else None
    return Judged(path.stem, PARTS.get(facts["fault"]), verdict.part, line)


@pytest.fixture(scope="module")
def judged(real_data: Path) -> list[Judged]:
    found = []
    for folder, channel in (("12k_DE", "DE"), ("48k_DE", "DE"), ("12k_FE", "FE"), ("normal", "DE")):
        paths = sorted((real_data / "cwru" / folder).glob("*.mat"))
        found += [result for path in paths if (result := judge(path, channel))]
    return found


@pytest.mark.real
def test_the_strongest_family_is_the_right_faults_where_physics_is_right(
    judged: list[Judged],
) -> None:
    right = [r for r in judged if r.true is not None and r.verdict == r.true]
    matching = [r for r in right if r.line == FAULT_LINES[r.true or "inner"]]
    assert len(right) >= 20
    assert len(matching) >= 0.95 * len(right), [r for r in right if r not in matching]


@pytest.mark.real
def test_physics_names_no_part_of_a_healthy_bearing_and_hardly_ever_a_wrong_one(
    judged: list[Judged],
) -> None:
    named = [r for r in judged if r.verdict is not None]
    assert not [r for r in named if r.true is None]
    wrong = [r for r in named if r.verdict != r.true]
    assert len(wrong) <= 0.05 * len(named), wrong
