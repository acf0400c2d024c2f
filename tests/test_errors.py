"""Did-you-mean, and the errors for an unknown name and for a package that can't be imported."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultdiag.errors import FaultdiagError, did_you_mean, needs_extra, unknown

law = settings(max_examples=40, deadline=None)
BLOCKS = ["eca", "se", "cbam", "bi_eca", "multi_kernel_eca"]
names = st.lists(st.from_regex(r"[a-zA-Z_]{3,12}", fullmatch=True), min_size=1, unique=True)


@pytest.mark.parametrize(
    ("name", "known", "near"),
    [
        ("sse", BLOCKS, "se"),
        ("ECA", BLOCKS, "eca"),
        ("Cbam ", BLOCKS, "cbam"),
        ("multi", BLOCKS, "multi_kernel_eca"),
        ("Within", ["within_recording", "random_windows"], "within_recording"),
        ("de", ["DE", "de"], "de"),
        ("DE", ["de", "DE"], "DE"),
    ],
)
def test_the_nearest_name_is_offered(name: str, known: list[str], near: str) -> None:
    assert did_you_mean(name, known) == f" (did you mean '{near}'?)"


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("zzz", BLOCKS),
        ("", BLOCKS),
        ("eca", []),
        ("a", ["alpha", "aleph"]),  # the beginning of two names is near to neither
    ],
)
def test_nothing_is_offered_where_nothing_is_near(name: str, known: list[str]) -> None:
    assert did_you_mean(name, known) == ""


@law
@given(names, st.data())
def test_a_name_in_other_case_is_always_recognised(known: list[str], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(known))
    lower = [k.lower() for k in known]
    offered = did_you_mean(name.swapcase(), known)
    assert offered.removeprefix(" (did you mean '").removesuffix("'?)").lower() in lower


@law
@given(names, st.text())
def test_only_known_names_are_offered(known: list[str], name: str) -> None:
    assert did_you_mean(name, known) in {"", *(f" (did you mean '{k}'?)" for k in known)}


def test_an_unknown_name_is_told_with_the_nearest_and_all_others() -> None:
    error = unknown("attention block", "bi_ecaa", BLOCKS)
    assert isinstance(error, FaultdiagError)
    assert str(error) == (
        "unknown attention block 'bi_ecaa' (did you mean 'bi_eca'?); "
        "known: bi_eca, cbam, eca, multi_kernel_eca, se"
    )


def test_an_unknown_name_where_none_is_known() -> None:
    assert str(unknown("starter", "demo", [])) == "unknown starter 'demo'; known: none"


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (
            ModuleNotFoundError("No module named 'onnx.helper'", name="onnx.helper"),
            "onnx is not installed; install it with: ",
        ),
        (
            ImportError("libprotobuf.so.9: cannot open shared object file", name="onnx"),
            "onnx can't be imported: libprotobuf.so.9: cannot open shared object file; "
            "install it again: ",
        ),
    ],
)
def test_a_package_that_can_not_be_imported(error: ImportError, problem: str) -> None:
    with pytest.raises(FaultdiagError) as refused, needs_extra("onnx", "ONNX is asked for"):
        raise error
    assert str(refused.value) == f"ONNX is asked for, but {problem}pip install 'faultdiag[onnx]'"
