"""Digests of files."""

from pathlib import Path

import pytest

from faultdiag.datasets.base import git_blob_sha1, sha256
from faultdiag.errors import FaultdiagError


def test_known_digests(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    # FIPS 180-4's example, and what `git hash-object` gives for the same bytes.
    assert sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert git_blob_sha1(path) == "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f"


@pytest.mark.parametrize("digest", [sha256, git_blob_sha1])
def test_a_file_that_cannot_be_read(tmp_path: Path, digest: object) -> None:
    assert callable(digest)
    with pytest.raises(FaultdiagError, match=r"gone cannot be read: No such file or directory; ch"):
        digest(tmp_path / "gone")
