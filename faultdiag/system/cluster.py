"""Work shared out: shards of separate commands, and tasks on a running Dask cluster."""

import hashlib
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from faultdiag.errors import (
    FaultdiagError,
    needs_extra,
    printable,
)

if TYPE_CHECKING:
    from distributed import Client

# Seconds that a scheduler may take to answer.
PATIENCE = 15
# Tasks per thread of the cluster that are submitted and not yet returned.
AHEAD = 3
# Readers, warnings and stderr are settings of a whole process: its tasks run one after the other.
_ONE = threading.Lock()

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class WorkersKilled:
    """A task has no result because every worker that ran it was killed, this number of times."""

    times: int

    def __str__(self) -> str:
        """Return the reason for a row."""
        return f"{self.times} Dask workers that ran it were killed, as by a lack of memory"


class DaskCluster:
    """The workers of a Dask cluster, as a context manager.

    They must see the same files under the same paths as this process.

    Parameters
    ----------
    address
        Address of the scheduler: ``tcp://host:8786``.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._client = _connected(address)

    def __enter__(self) -> "DaskCluster":
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnect; tasks that nobody waits for end."""
        self._client.close(timeout=PATIENCE)

    def threads(self) -> int:
        """Return the number of threads of all workers; 1 where there are none yet."""
        threads: dict[str, int] = self._client.nthreads()
        return max(sum(threads.values()), 1)

    def in_order(
        self, work: Callable[[Task], Result], tasks: Sequence[Task]
    ) -> Iterator[tuple[Task, Result | WorkersKilled]]:
        """Yield the tasks with their results, in order; a limited number is submitted at a time.

        Tasks that waited on a worker when another one killed it count as its killers, too; `alone`
        tells them apart.

        Raises
        ------
        FaultdiagError
            If the work raises anything, or the scheduler is lost.
        """
        waiting, running = iter(tasks), deque[tuple[Task, Any]]()
        while True:
            missing = AHEAD * self.threads() - len(running)
            for task in islice(waiting, max(missing, 0)):
                running.append((task, self._submit(work, task)))
            if not running:
                return
            task, future = running.popleft()
            yield task, self._result(future)

    def as_finished(
        self, work: Callable[[Task], Result], tasks: Sequence[Task]
    ) -> Iterator[tuple[Task, Result | WorkersKilled]]:
        """Yield the tasks with their results, as they are finished.

        Those whose workers were killed are run again at the end, alone.

        Raises
        ------
        FaultdiagError
            As `in_order`.
        """
        from distributed import as_completed

        submitted = {self._submit(work, task): task for task in tasks}
        suspects: list[Task] = []
        for future in as_completed(list(submitted), loop=self._client.loop):
            task, result = submitted.pop(future), self._result(future)
            if isinstance(result, WorkersKilled):
                suspects.append(task)
            else:
                yield task, result
        for task in suspects:
            yield task, self.alone(work, task)

    def alone(self, work: Callable[[Task], Result], task: Task) -> Result | WorkersKilled:
        """Return the result of one task."""
        result: Result | WorkersKilled = self._result(self._submit(work, task))
        return result

    def _submit(self, work: Callable[[Task], Result], task: Task) -> Any:
        # Not pure: equal tasks are not to share the result of an earlier command.
        return self._client.submit(_on_worker, work, task, _Sender.own(), pure=False)

    def _result(self, future: Any) -> Any:
        from distributed import CancelledError, KilledWorker

        try:
            return future.result()
        except KilledWorker as error:
            return WorkersKilled(error.allowed_failures + 1)
        except FaultdiagError:
            raise
        except (CancelledError, OSError) as error:
            raise FaultdiagError(
                f"the Dask scheduler at {self.address} was lost; what is finished is kept: start "
                "it again, then the same command (predict: with --resume)"
            ) from error
        except Exception as error:
            raise FaultdiagError(
                f"a Dask worker of {self.address} failed with {type(error).__name__}: "
                f"{printable(str(error))}; install the same faultdiag and packages on all workers"
            ) from error
        finally:
            future.release()


@dataclass(frozen=True, slots=True)
class _Sender:
    """The settings of the process that sends a task, for the worker."""

    folder: str
    version: str

    @classmethod
    def own(cls) -> "_Sender":
        return cls(str(Path.cwd()), version("faultdiag"))


def _on_worker(work: Callable[[Task], Result], task: Task, sender: _Sender) -> Result:
    """Work on a task where the sender is, so that relative paths mean the same."""
    if (own := version("faultdiag")) != sender.version:
        raise FaultdiagError(
            f"--dask: a worker has faultdiag {own}, this is {sender.version}; install the same"
        )
    folder = Path(sender.folder)
    with _ONE, chdir(folder) if folder.is_dir() else nullcontext():
        return work(task)


@contextmanager
def _quiet_logs() -> Iterator[None]:
    """Leave it to our own message that no scheduler answers."""
    import logging

    logger = logging.getLogger("distributed")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _connected(address: str) -> "Client":
    with needs_extra("dask", "--dask works on a Dask cluster"):
        from distributed import Client
    try:
        with _quiet_logs():
            return Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:  # a TimeoutError is an OSError
        raise FaultdiagError(
            f"--dask is '{printable(address)}', where no Dask scheduler answers; give the address "
            "that `dask scheduler` prints, such as tcp://10.0.0.1:8786"
        ) from error


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
