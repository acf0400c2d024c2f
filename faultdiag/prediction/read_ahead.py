"""Recordings read and resampled in processes of their own, ahead of the model, in order."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from itertools import islice

from faultdiag.prediction.reading import Asked, Needs, Opened, Windows, try_read
from faultdiag.prediction.streams import LostError, Stream

# Recordings per process that are asked for and not yet diagnosed. It holds one of them, or a piece
# of it, and the pipe as much as fits into it.
AHEAD = 3
# Seconds without anything read after which that is told.
PATIENCE = 1.0

Part = Opened | Windows | float | str | None
"""What comes of a file, in this order: what is known of it, its windows piece by piece, its
novelty, where something is wrong the message why there is no more, and at its end None."""


def read_ahead(
    files: Iterable[Asked], needs: Needs, jobs: int
) -> Generator[tuple[Asked, Part] | None]:
    """Give the parts of each file, file by file in their order.

    With one job the files are read in this process, each when it is asked for; with more, in so
    many processes, each a little ahead. In between there is a None whenever nothing came for
    `PATIENCE` seconds. When a process is killed, as by a system that is out of memory, the file
    that it was reading is read once more in a new one; if that is killed too, there is a message.
    Whatever ends the iteration early, an interrupt too, ends the processes.
    """
    if jobs == 1:
        for one in files:
            yield from ((one, part) for part in try_read(one, needs))
            yield one, None
        return
    with ExitStack() as stack:
        readers = [stack.enter_context(closing(_Reader(needs))) for _ in range(jobs)]
        waiting, order = iter(files), deque[tuple[Asked, _Reader]]()
        for one in islice(waiting, AHEAD * jobs):
            order.append((one, readers[len(order) % jobs]))
            order[-1][1].give(one)
        while order:
            one, reader = order.popleft()
            for part in reader.parts():
                yield None if isinstance(part, _Idle) else (one, part)
            for following in islice(waiting, 1):
                order.append((following, reader))
                reader.give(following)


class _Idle:
    """Nothing came for a while."""


_IDLE = _Idle()


class _Reader:
    """A process that reads files; another takes its place when it is killed."""

    def __init__(self, needs: Needs) -> None:
        self._needs = needs
        self._stream: Stream[Asked] = Stream(try_read, needs)

    def give(self, one: Asked) -> None:
        self._stream.give(one)

    def parts(self) -> Iterator[Part | _Idle]:
        """Give the parts of the first file that was given and not yet taken."""
        done = 0
        try:
            for part in self._stream.made(PATIENCE):
                done += part is not None
                yield _IDLE if part is None else part
        except LostError:
            self._renew()
            yield from self._again(done)
        yield None

    def _again(self, done: int) -> Iterator[Part | _Idle]:
        one = self._stream.pending[0]
        try:
            for part in self._stream.made(PATIENCE):
                done -= part is not None
                # What came before the process was killed was the same.
                if part is None or done < 0:
                    yield _IDLE if part is None else part
        except LostError:
            self._stream.pending.popleft()
            self._renew()
            yield (
                f"{one.path}: the process that read it was killed, twice, as by a system that is "
                "out of memory; free some, or cut the recording into shorter ones"
            )

    def _renew(self) -> None:
        lost = self._stream
        lost.close()
        self._stream = Stream(try_read, self._needs)
        for one in lost.pending:
            self._stream.give(one)

    def close(self) -> None:
        self._stream.close()
