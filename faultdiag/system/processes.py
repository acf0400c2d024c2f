"""Worker processes and the threads, memory and caches of this one."""

import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess


# Each worker has one thread: several small networks side by side make better use of the cores
# than one network on all of them.
_ENVIRONMENT = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LOKY_MAX_CPU_COUNT"), "1"
)


@contextmanager
def workers(jobs: int) -> Iterator[Callable[..., Future[Any] | None]]:
    """Yield a function that submits work to new processes; they end with the block.

    The function returns None once one of the processes has been killed.
    """
    # Not loky: it needs pgrep or psutil to end its processes, which not every system has.
    # Spawned, not forked: a forked child of a process that has used torch can hang.
    context = get_context("spawn")
    pool = ProcessPoolExecutor(jobs, context, initializer=begin, initargs=(os.getpid(),))
    started: dict[int, BaseProcess] = {}

    def submit(work: Callable[..., object], *arguments: object) -> Future[Any] | None:
        try:
            with inherited():
                return pool.submit(work, *arguments)
        except BrokenExecutor:
            return None
        finally:
            started.update(pool._processes or {})

    try:
        yield submit
    finally:
        for process in started.values():
            process.kill()
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def inherited() -> Iterator[None]:
    """Start processes in the block with one thread each; only this process sees interrupts."""
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    os.environ.update(_ENVIRONMENT)
    try:
        with _interrupts_blocked():
            yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Delay an interrupt that comes in the block until it ends; ignoring would lose it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    from multiprocessing.resource_tracker import ensure_running

    # It starts with the first process and then unblocks interrupts, whatever they were before.
    ensure_running()
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def begin(parent: int) -> None:
    """Set up a worker process that ends when its parent ends, even by a kill."""
    from tqdm import tqdm

    # tqdm's own lock is a semaphore of the system, which a killed process leaves behind.
    tqdm.set_lock(threading.RLock())
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


# Environment of OpenMP. A thread that waits for work spins this many times, for about half a
# millisecond, then sleeps. By default it spins for many milliseconds, which makes a step ten times
# slower on a machine that does something else too. If it slept at once, each of the hundred or
# more pieces of a step would start by waking it, a tenth of the step on an idle machine.
OPENMP = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "10000"}

# glibc's <malloc.h>.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
# The largest value that glibc takes on 64 bits, and no limit.
_LARGEST_MMAP, _NEVER = 32 * 2**20, 2**31 - 1


def tune_openmp(environment: MutableMapping[str, str]) -> None:
    """Set `OPENMP` unless the user has set any of it; torch reads it when it is imported."""
    if not OPENMP.keys() & environment.keys():
        environment.update(OPENMP)


@contextmanager
def without_collection(*, freeze: bool = False) -> Iterator[None]:
    """Import modules in the block without looking for cyclic garbage.

    The half a million objects of torch's modules stay until the process ends. Python would look
    through all of them again and again, a tenth of the time that importing torch takes.

    Parameters
    ----------
    freeze
        Whether all objects of the process stay, so that they are not looked through later either:
        for a command, not for the functions that a notebook calls.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if freeze:
            gc.freeze()
        if enabled:
            gc.enable()


def keep_freed_memory() -> bool:
    """Let the C library keep freed memory for the next step; return whether it accepted that.

    A training step frees its activations, and the next step needs the same amount again. By
    default glibc returns most of it to the system in between, which then clears every page.
    """
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False  # not glibc
    kept = [mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP), mallopt(_TRIM_THRESHOLD, _NEVER)]
    return all(kept)
