"""Download a file of known size and SHA-256 over HTTPS, from mirrors that may fail, stall or send wrong data.

`requests` does the transport. This module limits how long a mirror may take, and checks what it sends. The bytes stay
in memory (the files are small) until size and digest are verified, so a failure leaves nothing behind.
"""

import hashlib
import http.client
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import requests
from urllib3.exceptions import MaxRetryError, ReadTimeoutError

from .errors import DataError, DownloadError

CHUNK = 4 * 1024  # bytes; well below Limits.window_bytes, because only complete chunks are counted


@dataclass(frozen=True)
class Limits:
    """The times in seconds after which a mirror or the whole download is given up, and the number of retries."""

    connect: float = 5.0  # to connect
    read: float = 10.0  # longest pause between two bytes
    window: float = 10.0  # period in which at least `window_bytes` must arrive
    window_bytes: int = 32 * 1024
    deadline: float = 600.0  # for one file, with all mirrors and retries
    rounds: int = 3  # how often every mirror is tried
    backoff: float = 0.5  # pause before the second round; doubled before each later round


@dataclass
class _Attempt:
    """The data shared by a download thread and the thread that waits for it."""

    received: int = 0
    content: bytes | None = None
    error: Exception | None = None
    abandoned: bool = False
    done: threading.Event = field(default_factory=threading.Event)


class _Unreachable(DownloadError):
    """No connection was possible. Trying again at once is pointless."""


def https_session() -> requests.Session:
    """A session that allows only HTTPS, also after redirects."""
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
    """Download a file from the first mirror that sends the right bytes, and return its content.

    `on_bytes` is called with the number of bytes received so far from the current mirror. Raises DownloadError, which
    says how each mirror failed, and DataError where no thread can be started.
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
                return _fetch_from(session, url, size, sha256, on_bytes, limits, end)
            except DownloadError as error:
                failures[url] = error
        if all(isinstance(error, _Unreachable) for error in failures.values()):
            break
    raise DownloadError("; ".join(str(error) for error in failures.values()))


def _fetch_from(
    session: requests.Session,
    url: str,
    size: int,
    sha256: str,
    on_bytes: Callable[[int], object],
    limits: Limits,
    end: float,
) -> bytes:
    """Download from one mirror. A separate thread receives, so that no server can delay the caller beyond `limits`."""
    attempt = _Attempt()
    try:
        threading.Thread(target=_receive, args=(session, url, size, limits, attempt), daemon=True).start()
    except RuntimeError as error:
        reason = f"{url}: cannot be fetched without a thread: {error}"
        raise DataError(f"{reason}; end other programs, or raise `ulimit -u`") from None
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
    """Receive the raw body without decoding it. Stops at the first chunk that exceeds the expected size."""
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
    except Exception as error:  # the waiting thread reports it
        attempt.error = error
    finally:
        attempt.done.set()


def _drop_redirect_body(response: requests.Response, **_: object) -> None:
    """Close a redirect. Otherwise `requests` would read its whole body, which may be endless."""
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
