"""Fetch a file of known size and SHA-256 over HTTPS, from mirrors that may fail, stall or lie.

The transport is `requests`; here is what to believe of it. Bytes are kept in memory (files are small) until
size and digest are right, so a failure leaves nothing behind.
"""

import hashlib
import http.client
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import requests
from urllib3.exceptions import MaxRetryError, ReadTimeoutError

from .errors import DownloadError

CHUNK = 4 * 1024  # well below Limits.window_bytes: a chunk is seen when it is complete


@dataclass(frozen=True)
class Limits:
    """How long to wait, in seconds, before giving up on a mirror or on everything."""

    connect: float = 5.0
    read: float = 10.0  # without a single byte
    window: float = 10.0  # in which at least `window_bytes` must arrive
    window_bytes: int = 32 * 1024
    deadline: float = 600.0  # for one file, all mirrors and retries together
    rounds: int = 3  # through all mirrors
    backoff: float = 0.5  # before the second round; doubled before each later one


@dataclass
class _Attempt:
    """What a worker thread and the one that waits for it share."""

    received: int = 0
    content: bytes | None = None
    error: Exception | None = None
    abandoned: bool = False
    done: threading.Event = field(default_factory=threading.Event)


class _Unreachable(DownloadError):
    """No connection at all: trying again at once is pointless."""


def https_session() -> requests.Session:
    """A session that speaks HTTPS and nothing else, on every redirect too."""
    session = requests.Session()
    session.adapters.pop("http://")
    session.max_redirects = 5
    return session


def fetch(
    urls: Sequence[str],
    size: int,
    sha256: str,
    *,
    on_bytes: Callable[[int], object] = lambda total: None,
    limits: Limits = Limits(),
    session: requests.Session | None = None,
) -> bytes:
    """The file's content, from the first mirror that gives the right bytes.

    `on_bytes` is told how many bytes of the attempt under way have arrived. Raises DownloadError, which says
    what each mirror answered.
    """
    session = session or https_session()
    end = time.monotonic() + limits.deadline
    failures: dict[str, DownloadError] = {}
    for round_ in range(limits.rounds):
        if round_:
            time.sleep(max(0.0, min(limits.backoff * 2 ** (round_ - 1), end - time.monotonic())))
        for url in urls:
            if time.monotonic() >= end:
                break
            try:
                return _from_one(session, url, size, sha256, on_bytes, limits, end)
            except DownloadError as error:
                failures[url] = error
        if all(isinstance(error, _Unreachable) for error in failures.values()):
            break
    raise DownloadError("; ".join(str(error) for error in failures.values()))


def _from_one(
    session: requests.Session,
    url: str,
    size: int,
    sha256: str,
    on_bytes: Callable[[int], object],
    limits: Limits,
    end: float,
) -> bytes:
    """One attempt, in a thread of its own: whatever a server does, the caller waits no longer than it wants."""
    attempt = _Attempt()
    threading.Thread(target=_receive, args=(session, url, size, limits, attempt), daemon=True).start()
    window_start, window_received = time.monotonic(), 0
    try:
        while not attempt.done.wait(0.05):
            on_bytes(attempt.received)
            now = time.monotonic()
            if now >= end:
                raise DownloadError(f"{url}: not finished within {limits.deadline:g} s")
            if now - window_start >= limits.connect + limits.window:
                if attempt.received - window_received < limits.window_bytes:
                    raise DownloadError(f"{url}: too slow, {attempt.received:,} of {size:,} bytes so far")
                window_start, window_received = now - limits.connect, attempt.received
    finally:
        attempt.abandoned = True
    on_bytes(attempt.received)
    if attempt.error:
        raise _explain(url, attempt.error)
    content = attempt.content or b""
    if len(content) != size:
        raise DownloadError(f"{url}: sent {len(content):,} bytes instead of {size:,}")
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DownloadError(f"{url}: sent other content (its SHA-256 is wrong)")
    return content


def _receive(session: requests.Session, url: str, size: int, limits: Limits, attempt: _Attempt) -> None:
    """Stream the raw body, undecoded, and stop one chunk after its size is exceeded."""
    try:
        headers = {"Accept-Encoding": "identity", "User-Agent": "nn"}
        timeout = (limits.connect, limits.read)
        hooks = {"response": _drop_redirect_body}
        with session.get(url, stream=True, timeout=timeout, headers=headers, hooks=hooks) as response:
            response.raise_for_status()
            content = bytearray()
            while chunk := response.raw.read(CHUNK, decode_content=False):
                content += chunk
                attempt.received = len(content)
                if attempt.abandoned or len(content) > size:
                    break
            attempt.content = bytes(content)
    except Exception as error:  # whatever it is, the waiting thread reports it
        attempt.error = error
    finally:
        attempt.done.set()


def _drop_redirect_body(response: requests.Response, **_: object) -> None:
    """`requests` would read the body of a redirect to its end, and it may have none."""
    if response.is_redirect:
        response.close()


def _explain(url: str, error: Exception) -> DownloadError:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        status = error.response.status_code
        return DownloadError(f"{url}: answered {status} {http.client.responses.get(status, '')}".rstrip())
    if isinstance(error, requests.TooManyRedirects):
        return DownloadError(f"{url}: redirects without end")
    if isinstance(error, requests.exceptions.InvalidSchema):
        return DownloadError(f"{url}: leads to something that is not HTTPS")
    if isinstance(error, requests.ReadTimeout | ReadTimeoutError):
        return DownloadError(f"{url}: stopped answering")
    if isinstance(error, requests.exceptions.SSLError):
        return DownloadError(f"{url}: offers no trustworthy TLS connection")
    if isinstance(error, requests.ConnectionError) and isinstance(error.args[0], MaxRetryError):
        return _Unreachable(f"{url}: cannot be reached")
    return DownloadError(f"{url}: broke off ({type(error).__name__})")
