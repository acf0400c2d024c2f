"""Recordings read in processes of their own, ahead of the model, in their order."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from itertools import islice

from faultdiag.prediction.events import End, Failure, Pause, ReadEvent
from faultdiag.prediction.reading import ModelInput, ReadRequest, one_line, read_events
from faultdiag.prediction.streams import HungError, LostError, Stream
from faultdiag.readers.read import too_slow

# Recordings per process that are requested and not yet diagnosed. The process holds one of them,
# or a piece of it, and the pipe as much as fits into it.
AHEAD = 3
# Seconds without an event after which a pause is reported.
PATIENCE = 1.0
# Seconds that a process has, beyond twice the time limit of a file, to notice the limit itself:
# what it calls may not return.
GRACE = 10.0


def read_ahead(
    requests: Iterable[ReadRequest], model: ModelInput, jobs: int, limit: float | None = None
) -> Generator[tuple[ReadRequest, ReadEvent] | Pause]:
    """Yield the events of each file, file by file in their order.

    With one job the files are read in this process, each when it is wanted; with more, in that
    many processes, each a little ahead. A `Pause` comes whenever no event came for `PATIENCE`
    seconds. When a process is killed, as by a system that is out of memory, the file that it was
    reading is read once more in a new process; if that is killed too, the file fails. So does a
    file of which nothing is read for `limit` seconds; a process that doesn't notice the limit is
    killed. Whatever ends the iteration early, an interrupt too, ends the processes.
    """
    if jobs == 1:
        for request in requests:
            yield from ((request, event) for event in read_events(request, model, limit))
        return
    with ExitStack() as stack:
        readers = [stack.enter_context(closing(_Reader(model, limit))) for _ in range(jobs)]
        waiting, order = iter(requests), deque[tuple[ReadRequest, _Reader]]()
        for request in islice(waiting, AHEAD * jobs):
            order.append((request, readers[len(order) % jobs]))
            order[-1][1].submit(request)
        while order:
            request, reader = order.popleft()
            for event in reader.events():
                yield event if isinstance(event, Pause) else (request, event)
            for following in islice(waiting, 1):
                order.append((following, reader))
                reader.submit(following)


class _Reader:
    """A process that reads files; another takes its place when it is killed."""

    def __init__(self, model: ModelInput, limit: float | None) -> None:
        self._more = (model, limit)
        self._limit = limit
        self._patience = (PATIENCE, None if limit is None else 2 * limit + GRACE)
        self._stream: Stream[ReadRequest] = Stream(read_events, *self._more)

    def submit(self, request: ReadRequest) -> None:
        self._stream.submit(request)

    def events(self) -> Iterator[ReadEvent | Pause]:
        """Yield the events of the first file that was submitted and not yet read."""
        count = 0
        try:
            for event in self._stream.events(*self._patience):
                count += not isinstance(event, Pause)
                yield event
        except LostError:
            self._restart()
            yield from self._once_more(count)
        except HungError:
            yield from self._hung()

    def _once_more(self, skipped: int) -> Iterator[ReadEvent | Pause]:
        """Read the first file again; its first events are those that were yielded before."""
        request = self._stream.pending[0]
        try:
            for event in self._stream.events(*self._patience):
                skipped -= not isinstance(event, Pause)
                if isinstance(event, Pause) or skipped < 0:
                    yield event
        except HungError:
            yield from self._hung()
        except LostError:
            self._stream.pending.popleft()
            self._restart()
            yield Failure(
                f"{request.path}: the process that read it was killed, twice, as by a system that "
                "is out of memory; free some, or cut the recording into shorter ones"
            )
            yield End()

    def _hung(self) -> Iterator[ReadEvent]:
        request = self._stream.pending.popleft()
        self._restart()
        yield Failure(one_line(too_slow(request.path, self._limit)))
        yield End()

    def _restart(self) -> None:
        lost = self._stream
        lost.close()
        self._stream = Stream(read_events, *self._more)
        for request in lost.pending:
            self._stream.submit(request)

    def close(self) -> None:
        self._stream.close()
