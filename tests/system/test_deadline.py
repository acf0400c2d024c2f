"""A time limit counts from the last progress, and no handler of damage swallows it."""

import signal
import threading
import time
from contextlib import suppress

import pytest

from faultdiag.system.deadline import StalledError, progress, time_limit


def test_work_that_stands_still_ends() -> None:
    began = time.monotonic()
    with pytest.raises(StalledError), time_limit(0.2):
        time.sleep(20)
    assert time.monotonic() - began < 2


def test_a_loop_without_a_system_call_ends_too() -> None:
    def count_forever() -> None:
        while True:
            pass

    with pytest.raises(StalledError), time_limit(0.2):
        count_forever()


def test_progress_starts_the_time_again() -> None:
    began = time.monotonic()
    with time_limit(0.3):
        for _ in range(10):
            time.sleep(0.1)
            progress()
    assert time.monotonic() - began > 0.9


def test_handlers_of_damage_do_not_take_it_for_damage() -> None:
    with pytest.raises(StalledError), time_limit(0.2), suppress(Exception):
        time.sleep(20)


def test_code_that_swallows_everything_is_interrupted_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("faultdiag.system.deadline._AGAIN", 0.1)
    swallowed = []

    def sleep_through_three() -> None:
        while len(swallowed) < 3:
            try:
                time.sleep(20)
            except BaseException as error:  # noqa: BLE001  # as a library might
                swallowed.append(error)
        time.sleep(20)

    with pytest.raises(StalledError), time_limit(0.1):
        sleep_through_three()
    assert len(swallowed) == 3


def test_nothing_is_left_behind() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with time_limit(0.2):
        assert signal.getsignal(signal.SIGALRM) != before
    assert signal.getsignal(signal.SIGALRM) == before
    time.sleep(0.3)


def test_no_limit_is_none() -> None:
    with time_limit(None):
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_other_threads_are_not_limited() -> None:
    ended: list[bool] = []

    def work() -> None:
        with time_limit(0.05):
            time.sleep(0.2)
        ended.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ended == [True]
