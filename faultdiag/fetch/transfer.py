"""One attempt to download a file over HTTP, going on behind what is there."""

import re
import socket
import time
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from faultdiag.fetch.part import Part

if TYPE_CHECKING:
    from requests import Response

# A connection that brings less than this within the timeout has stalled.
CHUNK = 8192
# What a server may not mean next time it is asked.
PASSING = {408, 425, 429, 500, 502, 503, 504}


class RefusedError(Exception):
    """The server says no, and would say so again."""


class BrokenError(Exception):
    """The attempt failed and another may not.

    Parameters
    ----------
    reason
        Why.
    wait
        Seconds that the server asks to wait, or None.
    reached
        Whether the server answered at all.
    """

    def __init__(self, reason: str, *, wait: float | None = None, reached: bool = True) -> None:
        super().__init__(reason)
        self.wait = wait
        self.reached = reached


class Transfer:
    """One request for a file, from the end of its part on.

    pooch's downloader makes the request, follows redirects and hands over the bytes; what it
    leaves to others is here: going on in the middle of a file, what an answer means, a
    connection that brings nothing more, and an end before the end.

    Parameters
    ----------
    url
        What is asked for.
    part
        Where the bytes go.
    most
        Bytes the file can have.
    timeout
        Seconds to connect, and to wait for the next bytes.
    """

    def __init__(self, url: str, part: Part, *, most: int, timeout: float) -> None:
        self.url = url
        self.moved = time.monotonic()
        self.received = 0
        self._part = part
        self._most = most
        self._timeout = timeout
        self._response: Response | None = None
        self._promised: int | None = None
        self._aborted = ""

    def run(self) -> None:
        """Receive the rest of the file.

        Raises
        ------
        RefusedError, BrokenError
            If it does not come to its end.
        CannotWriteError
            If it can't be written.
        """
        import pooch
        import requests

        headers = {"User-Agent": user_agent(), "Accept-Encoding": "identity"}
        if self._part.length:
            headers["Range"] = f"bytes={self._part.length}-"
        download = pooch.HTTPDownloader(
            chunk_size=CHUNK,
            timeout=(self._timeout, self._timeout),
            headers=headers,
            hooks={"response": self._begin},
        )
        try:
            download(self.url, self, None)
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
            raise RefusedError(f"the address cannot be used: {error}") from error
        except requests.exceptions.TooManyRedirects as error:
            raise RefusedError("the server redirects in circles") from error
        except OSError as error:  # those of requests are OSErrors too
            reached = self._response is not None
            raise BrokenError(self._aborted or _reason(error), reached=reached) from error
        finally:
            if self._response is not None:
                self._response.close()
        self._require_all()

    def write(self, data: bytes) -> int:
        """Take bytes from pooch."""
        self.moved = time.monotonic()
        if self._aborted:
            raise BrokenError(self._aborted)
        if self._part.length + len(data) > self._most:
            raise RefusedError(f"the server sends more than the {self._most} bytes it has")
        self.received += len(data)
        return self._part.write(data)

    def flush(self) -> None:
        """Do nothing: the part is not buffered, and pooch asks after every chunk."""

    def stalled(self) -> bool:
        """Tell whether an answer was begun and nothing more has come within the timeout."""
        return self._response is not None and time.monotonic() - self.moved > self._timeout

    def abort(self, reason: str) -> None:
        """End the attempt from another thread."""
        self._aborted = reason
        if self._response is not None:
            # Reading stops at once; closing the response from here would not make it.
            with suppress(OSError, ValueError, AttributeError):
                connection = socket.fromfd(
                    self._response.raw.fileno(), socket.AF_INET, socket.SOCK_STREAM
                )
                with connection:
                    connection.shutdown(socket.SHUT_RDWR)

    def _begin(self, response: "Response", *_: Any, **__: Any) -> None:
        """Judge an answer before its content is read."""
        self.moved = time.monotonic()
        if response.is_redirect:
            return
        self._response = response
        status, offset = response.status_code, self._part.length
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and offset:
            self._part.restart()
            raise BrokenError("the server has no more bytes than were there already")
        if status not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
            raise _refusal(response)
        if status == HTTPStatus.PARTIAL_CONTENT:
            begins = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
            if begins is None or int(begins[1]) != offset:
                self._part.restart()
                raise BrokenError("the server sends another part of the file than was asked for")
        elif offset:
            self._part.restart()
        length = response.headers.get("Content-Length", "")
        self._promised = int(length) if length.isdecimal() else None
        if length and self._promised is None:
            raise BrokenError(f"the server gives the length '{length}'")

    def _require_all(self) -> None:
        if self._aborted:
            raise BrokenError(self._aborted)
        if self._promised is not None and self.received < self._promised:
            raise BrokenError(
                f"the connection ended after {self.received} of {self._promised} bytes"
            )


def user_agent() -> str:
    """Name the program and its version, as polite clients do."""
    try:
        return f"faultdiag/{version('faultdiag')}"
    except PackageNotFoundError:
        return "faultdiag"


def _refusal(response: "Response") -> RefusedError | BrokenError:
    status = response.status_code
    text = f"{status} {response.reason or ''}".strip()
    if status not in PASSING:
        return RefusedError(f"the server answers {text}")
    asked = _seconds(response.headers.get("Retry-After"))
    return BrokenError(f"the server answers {text}", wait=asked)


def _seconds(retry_after: str | None) -> float | None:
    """Give what a Retry-After header asks for, a number of seconds or a date."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        when = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    moment = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)


def _reason(error: OSError) -> str:
    import requests

    if isinstance(error, requests.exceptions.ConnectTimeout):
        return "no connection within the timeout"
    if isinstance(error, requests.exceptions.Timeout | TimeoutError):
        return "no answer within the timeout"
    if isinstance(error, requests.exceptions.SSLError):
        return f"the connection is not secure: {_innermost(error)}"
    return f"the connection failed: {_innermost(error)}"


def _innermost(error: BaseException) -> str:
    """Give the message at the root of a chain; those around it repeat it at length."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return str(error) or type(error).__name__
