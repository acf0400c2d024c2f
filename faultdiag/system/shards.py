"""Work shared out among commands that know nothing of each other."""

import hashlib
import re
from dataclasses import dataclass

from faultdiag.errors import FaultdiagError, printable


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several shards, counted from 0.

    Examples
    --------
    >>> [Shard(i, 3).has("a.mat") for i in range(3)].count(True)
    1
    """

    index: int
    count: int

    def has(self, name: str) -> bool:
        """Return whether a name belongs to this shard: the same on every machine."""
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8]) % self.count == self.index

    def __str__(self) -> str:
        """Return it as the command line takes it."""
        return f"{self.index}/{self.count}"


def parse_shard(text: str) -> Shard:
    """Return the shard that ``i/n`` names; ``n/n`` is the same as ``0/n``.

    So the numbers of any scheduler work, from 0 or from 1.

    Raises
    ------
    FaultdiagError
        If it has another form, or no such shard exists.

    Examples
    --------
    >>> parse_shard("8/8") == parse_shard("0/8")
    True
    """
    match = re.fullmatch(r"(\d{1,9})/([1-9]\d{0,8})", text)
    if match is None or int(match[1]) > int(match[2]):
        raise FaultdiagError(
            f"--shard is '{printable(text)}'; give number/count, such as 1/8 to 8/8 or 0/8 to 7/8"
        )
    return Shard(int(match[1]) % int(match[2]), int(match[2]))
