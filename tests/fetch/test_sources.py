"""Which recordings a pattern means, and what the catalogue says of them."""

import pytest

from faultdiag.datasets.cwru import catalogue
from faultdiag.errors import FaultdiagError
from faultdiag.fetch.sources import choose_files, source_of

SOURCE = source_of("cwru")
FILES = SOURCE.files


def chosen(*patterns: str) -> list[str]:
    return [
        file.file.removesuffix(".mat") for file in choose_files(FILES, patterns, SOURCE.patterns)
    ]


def test_all_recordings_can_be_fetched() -> None:
    assert len(FILES) == 161 == len(chosen())
    assert [file.file for file in FILES] == [f"{number}.mat" for number in catalogue()]
    assert {len(file.sha256) for file in FILES} == {64}


@pytest.mark.parametrize(
    ("patterns", "numbers"),
    [
        (["105"], ["105"]),
        (["105.mat"], ["105"]),
        (["normal"], ["97", "98", "99", "100"]),
        (["NORMAL_n_0"], ["97"]),
        (["12k_DE_IR007_?"], ["105", "106", "107", "108"]),
        (["12k_DE_OR007@6_*"], ["130", "131", "132", "133"]),
        (["IR007_0"], ["105", "109", "278"]),
        (["10[56]", "97"], ["97", "105", "106"]),
    ],
)
def test_patterns(patterns: list[str], numbers: list[str]) -> None:
    assert chosen(*patterns) == numbers


def test_groups_and_faults() -> None:
    assert len(chosen("12k_DE")) == len(chosen("12k_DE*")) == 60
    assert set(chosen("*IR007*")) == set(chosen("IR007")) >= {"105", "109", "278"}
    assert chosen("*") == chosen()
    assert chosen("12k_DE", "12k_FE") == chosen("12k_?E")


def test_patterns_that_mean_nothing_are_all_told() -> None:
    with pytest.raises(FaultdiagError) as caught:
        chosen("105", "12k_DR", "*IR70*", "zzz")
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("--only '12k_DR' matches none of the 161 files (did you mean '12k_D")
    assert lines[1].startswith("--only '*IR70*' matches none of the 161 files")
    assert lines[2].startswith("--only 'zzz' matches none of the 161 files; it is compared with ")
    assert len(lines) == 3
    assert all("the group (normal, 12k_DE, 48k_DE, 12k_FE)" in line for line in lines)
