"""The download gives the pinned bytes, or a DownloadError in time and no file.

The mirrors here fail, stall or send wrong content.
"""

import gzip
import hashlib
import itertools
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest
import requests
from lying_server import RESET, LyingServer, Script, Step, body, head, lying_server
from requests.adapters import HTTPAdapter

from data_scripts.errors import DataError, DownloadError
from data_scripts.fetch import CHUNK, Limits, fetch, https_session
from data_scripts.idx import Pixels, write_idx
from data_scripts.mnist import PinnedFile, download_mnist, is_intact, load_mnist


def pinned(name: str, content: bytes) -> PinnedFile:
    return PinnedFile(name, len(content), hashlib.sha256(content).hexdigest())


CONTENT = gzip.compress(random.Random(0).randbytes(40_000), mtime=0)
SIZE = len(CONTENT)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
FILE = pinned("digits.gz", CONTENT)
GOOD = body(CONTENT)
LIMITS = Limits(connect=0.25, read=0.5, window=0.5, window_bytes=1000, deadline=30, rounds=1, backoff=0.01)
IN_TIME = 5.0  # seconds: much longer than LIMITS allow without progress, much shorter than the deadline
AGES = 600.0
HTML = b"<!DOCTYPE html><title>Sign in</title>"


def endless(opening: bytes, block: bytes) -> Script:
    return lambda: itertools.chain([opening], itertools.repeat(block))


def byte_by_byte(content: Iterable[int]) -> Iterator[Step]:
    for byte in content:
        yield bytes([byte])
        yield 0.05


def trickle() -> Iterable[Step]:
    """The content, sent over about one second."""
    yield head(200)
    for i in range(0, SIZE, SIZE // 20):
        yield CONTENT[i : i + SIZE // 20]
        yield 0.05


def wrong_length(length: int) -> str:
    return f"sent {length:,} bytes instead of {SIZE:,}"


BAD_ANSWERS: dict[str, tuple[Script, str]] = {
    "forbidden": (body(b"no", status=403), "answered 403 Forbidden"),
    "not found": (body(b"no", status=404), "answered 404 Not Found"),
    "too many requests": (
        body(b"later", "Retry-After: 86400", status=429),
        "answered 429 Too Many Requests",
    ),
    "server error": (body(b"no", status=500), "answered 500 Internal Server Error"),
    "error with the right body": (body(CONTENT, status=503), "answered 503 Service Unavailable"),
    "short": (body(CONTENT[:-1]), wrong_length(SIZE - 1)),
    "shorter than it says": (body(CONTENT[:-1], length=SIZE), r"broke off \(\w+\)"),
    "empty": (body(b""), wrong_length(0)),
    "long": (body(CONTENT + b"x"), wrong_length(SIZE + 1)),
    "endless": (endless(head(200), b"x" * CHUNK), r"sent [\d,]+ bytes instead of .*"),
    "endless chunks": (
        endless(head(200, "Transfer-Encoding: chunked"), b"400\r\n" + b"x" * 1024 + b"\r\n"),
        r"sent [\d,]+ bytes instead of .*",
    ),
    "endless length of a chunk": (endless(head(200, "Transfer-Encoding: chunked"), b"0" * CHUNK), r"broke off \(\w+\)"),
    "endless headers": (endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), r"broke off \(\w+\)"),
    "wrong body of the right length": (body(bytes(SIZE)), r"sent other content \(its SHA-256 is wrong\)"),
    "HTML": (body(HTML, "Content-Type: text/html"), wrong_length(len(HTML))),
    "HTML of the right length": (body(HTML.ljust(SIZE)), r"sent other content \(its SHA-256 is wrong\)"),
    "compressed once more": (
        body(gzip.compress(CONTENT, mtime=0), "Content-Encoding: gzip"),
        wrong_length(len(gzip.compress(CONTENT, mtime=0))),
    ),
    "redirect loop": (body(b"", f"Location: {FILE.name}", status=302), "redirects without end"),
    "redirect loop with endless bodies": (
        endless(head(302, f"Location: {FILE.name}"), b"x" * CHUNK),
        "redirects without end",
    ),
    "redirect to a file of this machine": (
        body(b"", "Location: file:///etc/hosts", status=302),
        "leads to something that is not HTTPS",
    ),
    "redirect to a script": (
        body(b"", "Location: data:application/gzip,x", status=302),
        "leads to something that is not HTTPS",
    ),
    "redirect to nowhere": (body(b"", status=302), wrong_length(0)),
    "reset": (lambda: [head(200, f"Content-Length: {SIZE}"), CONTENT[:5000], 0.05, RESET], r"broke off \(\w+\)"),
    "closes without an answer": (lambda: [], r"broke off \(\w+\)"),
    "not HTTP": (lambda: [b"SSH-2.0-OpenSSH_9.9\r\n"], r"broke off \(\w+\)"),
    "nothing at all": (lambda: [AGES], "stopped answering"),
    "half, then nothing": (lambda: [head(200, f"Content-Length: {SIZE}"), CONTENT[:5000], AGES], "stopped answering"),
    "a byte now and then": (  # with the usual limits of ten seconds this is a byte each second
        lambda: itertools.chain([head(200, f"Content-Length: {SIZE}")], byte_by_byte(CONTENT)),
        f"too slow, 0 of {SIZE:,} bytes so far",
    ),
    "half, then a byte now and then": (
        lambda: itertools.chain([head(200, f"Content-Length: {SIZE}"), CONTENT[:5000]], byte_by_byte(CONTENT[5000:])),
        f"too slow, {CHUNK:,} of {SIZE:,} bytes so far",
    ),
    "headers a byte now and then": (
        lambda: byte_by_byte(head(200, *["X: y"] * 50)),
        f"too slow, 0 of {SIZE:,} bytes so far",
    ),
}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "*")


@pytest.fixture
def server() -> Iterator[LyingServer]:
    with lying_server() as server:
        yield server


@pytest.fixture
def closed_port() -> Iterator[str]:
    """Host and port of a reserved port on which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A data directory that does not exist yet."""
    return tmp_path / "data"


def http_session() -> requests.Session:
    """The usual session, but with plain HTTP allowed."""
    session = https_session()
    session.mount("http://", HTTPAdapter())
    return session


def fetch_here(*urls: str, limits: Limits = LIMITS) -> bytes:
    return fetch(urls, SIZE, SHA256, limits=limits, session=http_session())


def download_here(directory: Path, *mirrors: str, limits: Limits = LIMITS) -> None:
    download_mnist(directory, [FILE], mirrors=mirrors, limits=limits, session=http_session())


def content_of(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


# One mirror


def test_a_good_answer_is_saved_as_the_only_file(server: LyingServer, directory: Path) -> None:
    download_here(directory, server.answer("/", GOOD))
    assert content_of(directory) == {FILE.name: CONTENT}


@pytest.mark.parametrize("case", BAD_ANSWERS)
def test_a_bad_answer_is_refused_quickly_and_changes_no_file(server: LyingServer, directory: Path, case: str) -> None:
    """The error gives the reason."""
    script, reason = BAD_ANSWERS[case]
    url = server.answer("/lies/", script)
    directory.mkdir()
    before = {FILE.name: b"damaged", "other.gz": b"intact", "mine.txt": b"mine"}
    for name, content in before.items():
        (directory / name).write_bytes(content)
    start = time.monotonic()
    with pytest.raises(DownloadError) as error:
        download_here(directory, url)
    assert time.monotonic() - start < IN_TIME
    begins = f"{FILE.name} could not be downloaded: {url}{FILE.name}: "
    assert re.fullmatch(re.escape(begins) + reason, str(error.value))
    assert content_of(directory) == before


@pytest.mark.parametrize("case", BAD_ANSWERS)
def test_after_a_bad_answer_the_next_mirror_is_asked(server: LyingServer, directory: Path, case: str) -> None:
    script, _ = BAD_ANSWERS[case]
    download_here(directory, server.answer("/lies/", script), server.answer("/good/", GOOD))
    assert content_of(directory) == {FILE.name: CONTENT}


def test_downloads_request_no_compression(server: LyingServer) -> None:
    fetch_here(server.answer("/", GOOD))
    assert "accept-encoding: identity\r\n" in server.requests[0].lower()


def test_a_content_encoding_header_does_not_trigger_decompression(server: LyingServer) -> None:
    """The bytes count as they were sent, although the header declares them compressed."""
    assert fetch_here(server.answer("/", body(CONTENT, "Content-Encoding: gzip"))) == CONTENT


@pytest.mark.parametrize(
    "script",
    [
        lambda: [head(200), CONTENT],
        lambda: [head(200, "Transfer-Encoding: chunked"), b"%x\r\n%b\r\n0\r\n\r\n" % (SIZE, CONTENT)],
        lambda: [head(200, f"Content-Length: {SIZE}"), CONTENT[:5000], 0.1, CONTENT[5000:]],
    ],
    ids=["until the connection closes", "in chunks", "with a pause"],
)
def test_correct_bytes_are_accepted_however_they_are_sent(server: LyingServer, script: Script) -> None:
    assert fetch_here(server.answer("/", script)) == CONTENT


def test_a_redirect_is_followed(server: LyingServer) -> None:
    server.answer("/good/", GOOD)
    assert fetch_here(server.answer("/moved", body(b"", "Location: /good/", status=301))) == CONTENT


def test_a_slow_but_steady_answer_is_accepted(server: LyingServer) -> None:
    limits = Limits(connect=0.1, read=0.5, window=0.5, window_bytes=1000, rounds=1)
    start = time.monotonic()
    assert fetch_here(server.answer("/", trickle), limits=limits) == CONTENT
    assert time.monotonic() - start > limits.connect + limits.window  # long enough for the speed check to apply


def test_reading_stops_at_the_expected_size(server: LyingServer) -> None:
    url = server.answer("/", endless(head(200), b"x" * CHUNK))
    heard: list[int] = []
    with pytest.raises(DownloadError):
        fetch([url], SIZE, SHA256, on_bytes=heard.append, limits=LIMITS, session=http_session())
    assert SIZE < max(heard) <= SIZE + CHUNK


def test_progress_is_reported_up_to_the_last_byte(server: LyingServer) -> None:
    url = server.answer("/", lambda: [head(200), CONTENT[:CHUNK], 0.2, CONTENT[CHUNK:]])
    heard: list[int] = []
    fetch([url], SIZE, SHA256, on_bytes=heard.append, limits=LIMITS, session=http_session())
    assert heard == sorted(heard)
    assert CHUNK in heard
    assert heard[-1] == SIZE


def test_the_connection_to_an_abandoned_mirror_is_closed(server: LyingServer) -> None:
    blocks = int(2 * IN_TIME / 0.01)
    url = server.answer("/", lambda: [head(200), *[b"x" * CHUNK, 0.01] * blocks])
    with pytest.raises(DownloadError, match=r"not finished within 0\.3 s"):
        fetch([url], blocks * CHUNK, SHA256, limits=Limits(deadline=0.3, rounds=1), session=http_session())
    end = time.monotonic() + IN_TIME
    while server.connections:
        assert time.monotonic() < end
        time.sleep(0.01)


# HTTPS


class Tunnel(HTTPAdapter):
    """Sends requests for https://mirror.test to a server without TLS."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(self, request: requests.PreparedRequest, *args, **kwargs) -> requests.Response:  # type: ignore[no-untyped-def]
        carried = request.copy()
        carried.url = str(request.url).replace("https://mirror.test", self._url)
        response = super().send(carried, *args, **kwargs)
        response.url = str(request.url)
        return response


@pytest.fixture
def fetch_https(server: LyingServer) -> Callable[[str], bytes]:
    """Fetches a path of https://mirror.test with the session that allows only HTTPS."""
    session = https_session()
    session.mount("https://mirror.test/", Tunnel(server.url))
    return lambda path: fetch(["https://mirror.test" + path], SIZE, SHA256, limits=LIMITS, session=session)


def test_plain_http_is_refused_without_a_request(server: LyingServer) -> None:
    with pytest.raises(DownloadError, match="leads to something that is not HTTPS"):
        fetch([server.answer("/", GOOD)], SIZE, SHA256, limits=LIMITS)
    assert server.requests == []


def test_a_redirect_to_plain_http_is_refused(server: LyingServer, fetch_https: Callable[[str], bytes]) -> None:
    plain = server.answer("/plain", GOOD)
    server.answer("/moved", body(b"", f"Location: {plain}", status=302))
    with pytest.raises(DownloadError, match=r"https://mirror\.test/moved: leads to something that is not HTTPS"):
        fetch_https("/moved")
    assert server.paths() == ["/moved"]


def test_after_a_plain_http_redirect_the_next_mirror_is_asked(server: LyingServer) -> None:
    server.answer("/moved", body(b"", f"Location: {server.answer('/plain', GOOD)}", status=302))
    server.answer("/good", GOOD)
    session = https_session()
    session.mount("https://mirror.test/", Tunnel(server.url))
    urls = ["https://mirror.test/moved", "https://mirror.test/good"]
    assert fetch(urls, SIZE, SHA256, limits=LIMITS, session=session) == CONTENT
    assert server.paths() == ["/moved", "/good"]


def test_a_redirect_to_https_is_followed(server: LyingServer, fetch_https: Callable[[str], bytes]) -> None:
    server.answer("/good", GOOD)
    server.answer("/moved", body(b"", "Location: https://mirror.test/good", status=302))
    assert fetch_https("/moved") == CONTENT


def test_at_most_five_redirects_are_followed(server: LyingServer, fetch_https: Callable[[str], bytes]) -> None:
    server.answer("/", *[body(b"", "Location: /", status=302)] * 5, GOOD)
    assert fetch_https("/") == CONTENT
    server.answer("/", *[body(b"", "Location: /", status=302)] * 6, GOOD)
    with pytest.raises(DownloadError, match="redirects without end"):
        fetch_https("/")


def test_a_server_without_tls_is_refused(server: LyingServer) -> None:
    url = server.answer("/", GOOD).replace("http:", "https:")
    with pytest.raises(DownloadError, match="offers no trustworthy TLS connection"):
        fetch([url], SIZE, SHA256, limits=LIMITS)
    assert server.requests == []


# Rounds and limits


def test_later_rounds_ask_every_mirror_again_in_order(server: LyingServer) -> None:
    first = server.answer("/first", BAD_ANSWERS["server error"][0], BAD_ANSWERS["reset"][0], GOOD)
    second = server.answer("/second", BAD_ANSWERS["not found"][0])
    assert fetch_here(first, second, limits=Limits(rounds=3, backoff=0.01)) == CONTENT
    assert server.paths() == ["/first", "/second", "/first", "/second", "/first"]


def test_the_error_quotes_each_mirrors_last_answer(server: LyingServer) -> None:
    first = server.answer("/first", BAD_ANSWERS["server error"][0], BAD_ANSWERS["forbidden"][0], GOOD)
    second = server.answer("/second", BAD_ANSWERS["not found"][0])
    with pytest.raises(DownloadError) as error:
        fetch_here(first, second, limits=Limits(rounds=2, backoff=0.01))
    assert str(error.value) == f"{first}: answered 403 Forbidden; {second}: answered 404 Not Found"


def test_the_pause_between_rounds_doubles(server: LyingServer) -> None:
    url = server.answer("/", BAD_ANSWERS["server error"][0], BAD_ANSWERS["server error"][0], GOOD)
    start = time.monotonic()
    fetch_here(url, limits=Limits(rounds=3, backoff=0.1))
    assert time.monotonic() - start >= 0.1 + 0.2


def test_the_deadline_also_ends_a_steady_answer(server: LyingServer) -> None:
    start = time.monotonic()
    with pytest.raises(DownloadError, match=r"not finished within 0\.3 s"):
        fetch_here(server.answer("/", trickle), limits=Limits(deadline=0.3))
    assert 0.3 <= time.monotonic() - start < IN_TIME


def test_the_deadline_ends_rounds_and_pauses(server: LyingServer) -> None:
    url = server.answer("/", BAD_ANSWERS["server error"][0])
    start = time.monotonic()
    with pytest.raises(DownloadError, match="answered 500"):
        fetch_here(url, limits=Limits(rounds=8, backoff=0.05, deadline=0.3))
    assert time.monotonic() - start < IN_TIME
    assert len(server.requests) <= 3  # at 0, 0.05 and 0.15 s; the next would be at 0.35 s


def test_a_hanging_dns_lookup_does_not_hang_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def look_up(*_: object) -> None:
        released.wait()
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    start = time.monotonic()
    try:
        with pytest.raises(DownloadError, match="too slow, 0 of"):
            fetch_here("https://mirror.test/", limits=Limits(connect=0.1, window=0.1, rounds=1))
    finally:
        released.set()
    assert time.monotonic() - start < IN_TIME


def test_no_second_round_if_no_mirror_is_reachable(closed_port: str, directory: Path) -> None:
    start = time.monotonic()
    with pytest.raises(DownloadError, match=f"http://{closed_port}/{FILE.name}: cannot be reached$"):
        download_here(directory, f"http://{closed_port}/", limits=Limits(rounds=5, backoff=IN_TIME))
    assert time.monotonic() - start < IN_TIME
    assert content_of(directory) == {}


def test_an_unreachable_mirror_does_not_stop_further_rounds(server: LyingServer, closed_port: str) -> None:
    """The other mirror is asked in every round."""
    flaky = server.answer("/", BAD_ANSWERS["server error"][0], GOOD)
    assert fetch_here(f"http://{closed_port}/", flaky, limits=Limits(rounds=2, backoff=0.01)) == CONTENT


# The data directory


def test_a_successful_download_replaces_a_damaged_file(server: LyingServer, directory: Path) -> None:
    directory.mkdir()
    (directory / FILE.name).write_bytes(b"damaged")
    download_here(directory, server.answer("/", GOOD))
    assert content_of(directory) == {FILE.name: CONTENT}


def test_files_fetched_before_a_failure_are_kept(server: LyingServer, directory: Path) -> None:
    other = pinned("other.gz", b"other")
    server.answer(f"/{other.name}", BAD_ANSWERS["not found"][0])
    with pytest.raises(DownloadError, match=f"^{other.name} could not be downloaded"):
        download_mnist(
            directory, [FILE, other], mirrors=[server.answer("/", GOOD)], limits=LIMITS, session=http_session()
        )
    assert content_of(directory) == {FILE.name: CONTENT}


def test_progress_is_reported_for_each_file(server: LyingServer, directory: Path) -> None:
    other = pinned("other.gz", b"other")
    server.answer(f"/{other.name}", body(b"other"))
    heard: dict[PinnedFile, int] = {}
    download_mnist(
        directory,
        [FILE, other],
        on_bytes=heard.__setitem__,
        mirrors=[server.answer("/", GOOD)],
        limits=LIMITS,
        session=http_session(),
    )
    assert heard == {FILE: SIZE, other: 5}


def test_a_file_in_place_of_the_data_directory_is_reported(server: LyingServer, directory: Path) -> None:
    directory.write_text("a file")
    with pytest.raises(DataError, match=f"^{re.escape(str(directory))}: the data directory cannot be made: "):
        download_here(directory, server.answer("/", GOOD))
    assert server.requests == []


def test_an_unwritable_file_is_reported_and_leaves_nothing_behind(server: LyingServer, directory: Path) -> None:
    (directory / FILE.name / "in the way").mkdir(parents=True)
    with pytest.raises(DataError, match=f"^{re.escape(str(directory / FILE.name))}: cannot be written: "):
        download_here(directory, server.answer("/", GOOD))
    assert [path.name for path in directory.iterdir()] == [FILE.name]


DOWNLOADER = """
import os, sys
from pathlib import Path
from requests.adapters import HTTPAdapter
from data_scripts import files
from data_scripts.fetch import https_session
from data_scripts.mnist import PinnedFile, download_mnist, is_intact

fate, url, directory, *pinned = sys.argv[1:]
if fate == "is killed":
    files.os.fsync = lambda _: os.kill(os.getpid(), 9)
session = https_session()
session.mount("http://", HTTPAdapter())
wanted = [PinnedFile(name, int(size), sha256) for name, size, sha256 in (file.split(":") for file in pinned)]
print("ready", flush=True)
sys.stdin.readline()
download_mnist(Path(directory), wanted, mirrors=[url], session=session)
print([is_intact(Path(directory), file) for file in wanted])
"""


def downloader(fate: str, url: str, directory: Path, *files: PinnedFile) -> "subprocess.Popen[str]":
    """A process that starts its download when it reads a line."""
    pinned = [f"{file.name}:{file.size}:{file.sha256}" for file in files]
    return subprocess.Popen(
        [sys.executable, "-c", DOWNLOADER, fate, url, str(directory), *pinned],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_twenty_processes_can_fill_one_empty_directory_at_once(server: LyingServer, directory: Path) -> None:
    """Every process finds all files intact, and the directory holds nothing else."""
    contents = {f"{i}.gz": random.Random(i).randbytes(300_000) for i in range(3)}
    for name, content in contents.items():
        server.answer(f"/{name}", body(content))
    files = [pinned(name, content) for name, content in contents.items()]
    processes = [downloader("lives", server.url + "/", directory, *files) for _ in range(20)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        assert process.communicate(timeout=60) == ("[True, True, True]\n", "")
    assert content_of(directory) == contents


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_downloads_leftovers_are_removed_after_an_hour(server: LyingServer, directory: Path) -> None:
    """Until then they block no other download. Other files in the directory stay."""
    url = server.answer("/", GOOD)
    process = downloader("is killed", url, directory, FILE)
    process.communicate("go\n", timeout=60)
    assert process.returncode == -signal.SIGKILL
    (leftover,) = directory.iterdir()
    download_here(directory, url)
    assert content_of(directory) == {
        leftover.name: CONTENT,
        FILE.name: CONTENT,
    }  # another process may still be writing it
    hour = time.time() - 3601
    os.utime(leftover, (hour, hour))
    mine = {"mine.tmp": b"", ".mine": b"", "mine.gz": b"", "notes.txt": b"", f"{FILE.name}.tmp": b""}
    for name in mine:
        (directory / name).touch()
        os.utime(directory / name, (hour, hour))
    download_here(directory, url)
    assert content_of(directory) == {FILE.name: CONTENT, **mine}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_in_place_of_a_file_is_replaced(server: LyingServer, directory: Path) -> None:
    directory.mkdir()
    os.mkfifo(directory / FILE.name)
    assert not is_intact(directory, FILE)
    download_here(directory, server.answer("/", GOOD))
    assert content_of(directory) == {FILE.name: CONTENT}


@pytest.mark.parametrize(
    ("content", "intact"),
    [(CONTENT, True), (CONTENT[:-1], False), (CONTENT + b"x", False), (CONTENT[:-1] + b"x", False), (b"", False)],
    ids=["the file", "too short", "too long", "a byte altered", "empty"],
)
def test_only_the_pinned_bytes_count_as_intact(tmp_path: Path, content: bytes, intact: bool) -> None:
    (tmp_path / FILE.name).write_bytes(content)
    assert is_intact(tmp_path, FILE) == intact


def test_a_missing_file_is_not_intact(tmp_path: Path) -> None:
    """A directory in its place is not intact either."""
    assert not is_intact(tmp_path, FILE)
    (tmp_path / FILE.name).mkdir()
    assert not is_intact(tmp_path, FILE)


# Reading what was downloaded

IMAGES = np.arange(5 * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(5, 28, 28)
LABELS = np.array([3, 1, 4, 1, 5], np.uint8)


@pytest.fixture
def tiny_mnist(directory: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[PinnedFile, PinnedFile]:
    """Five images and their labels, in the data directory and pinned instead of MNIST."""
    directory.mkdir()

    def write(name: str, array: Pixels) -> PinnedFile:
        write_idx(directory / name, array)
        return pinned(name, (directory / name).read_bytes())

    files = write("images-idx3-ubyte.gz", IMAGES), write("labels-idx1-ubyte.gz", LABELS)
    monkeypatch.setattr("data_scripts.mnist.FILES", files)
    monkeypatch.setattr("data_scripts.mnist.PAIRS", {"train": files, "test": files})
    return files


@pytest.mark.usefixtures("tiny_mnist")
def test_intact_files_are_read(directory: Path) -> None:
    images, labels = load_mnist(directory, "train")
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)


@pytest.mark.parametrize("which", [0, 1], ids=["images", "labels"])
def test_files_other_than_mnists_are_refused_with_advice(
    directory: Path, tiny_mnist: tuple[PinnedFile, PinnedFile], which: int
) -> None:
    """The message offers `nn download` and data.source: idx."""
    path = directory / tiny_mnist[which].name
    write_idx(path, (IMAGES, LABELS)[which] ^ np.uint8(1))
    with pytest.raises(DataError) as error:
        load_mnist(directory, "train")
    assert str(error.value) == (
        f"{path}: is not MNIST's file (its size or SHA-256 is wrong); `nn download` replaces it, "
        "or read it unverified with data.source: idx"
    )


@pytest.mark.parametrize("which", [0, 1], ids=["images", "labels"])
def test_a_missing_file_is_reported_with_advice(
    directory: Path, tiny_mnist: tuple[PinnedFile, PinnedFile], which: int
) -> None:
    path = directory / tiny_mnist[which].name
    path.unlink()
    with pytest.raises(DataError) as error:
        load_mnist(directory, "train")
    assert str(error.value) == f"{path}: there is no such file; `nn download` fetches it"


# The commands

Run = Callable[..., tuple[int, str, list[str]]]


@pytest.fixture
def nn(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs the installed command in an empty working directory. Returns the exit code, stdout, and lines of stderr."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    (command,) = entry_points(group="console_scripts", name="nn")
    main = command.load()

    def run(*arguments: str) -> tuple[int, str, list[str]]:
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        out, err = capsys.readouterr()
        assert isinstance(exit_.value.code, int)
        return exit_.value.code, out, err.splitlines()

    return run


@pytest.fixture
def mirrors(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes the commands download from the given URLs, over HTTPS unless the session allows more."""

    def use(*urls: str, session: requests.Session | None = None) -> None:
        download = partial(download_mnist, mirrors=urls, limits=LIMITS, session=session)
        monkeypatch.setattr("data_scripts.mnist.download_mnist", download)

    return use


@pytest.mark.usefixtures("tiny_mnist")
def test_a_download_without_any_thread_is_refused_in_one_line(
    directory: Path, nn: Run, mirrors: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    next(directory.iterdir()).unlink()
    mirrors("https://mirror.test/")
    monkeypatch.setattr(threading.Thread, "start", refuse)
    code, _, err = nn("download")
    assert code == 1
    assert err[-1].startswith("Error: https://mirror.test/")
    assert err[-1].endswith("can't start new thread; end other programs, or raise `ulimit -u`")
    assert sum("Error" in line for line in err) == 1


@pytest.mark.usefixtures("tiny_mnist")
def test_nn_download_does_nothing_if_all_files_are_intact(
    directory: Path, nn: Run, mirrors: Callable[..., None], server: LyingServer
) -> None:
    mirrors(server.answer("/", GOOD), session=http_session())
    before = {path: path.stat().st_mtime_ns for path in directory.iterdir()}
    assert nn("download", "--data-dir", str(directory)) == (0, f"MNIST is in {directory}, intact; nothing to do.\n", [])
    assert {path: path.stat().st_mtime_ns for path in directory.iterdir()} == before
    assert server.requests == []


@pytest.mark.parametrize(
    "damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"x")], ids=["missing", "damaged"]
)
def test_nn_download_fetches_only_missing_or_damaged_files(
    directory: Path,
    tiny_mnist: tuple[PinnedFile, PinnedFile],
    nn: Run,
    mirrors: Callable[..., None],
    server: LyingServer,
    damage: Callable[[Path], object],
) -> None:
    before = content_of(directory)
    damage(directory / tiny_mnist[1].name)
    mirrors(server.answer("/", body(before[tiny_mnist[1].name])), session=http_session())
    code, out, err = nn("download", "--data-dir", str(directory))
    assert (code, out) == (0, f"MNIST is in {directory}, verified (1 of 2 files fetched).\n")
    assert err == [f"downloading MNIST into {directory}"]
    assert content_of(directory) == before
    assert server.paths() == [f"/{tiny_mnist[1].name}"]


@pytest.mark.parametrize("command", ["download", "train"])
def test_without_a_network_one_line_explains_what_to_do(
    directory: Path, nn: Run, mirrors: Callable[..., None], closed_port: str, command: str
) -> None:
    """It gives the reason for each mirror, and the command leaves no files behind."""
    mirrors(f"https://{closed_port}/a/", f"https://{closed_port}/b/")
    code, out, err = nn(command, "--data-dir", str(directory))
    assert (code, out) == (1, "")
    assert [line for line in err if line.startswith("Error: ")] == err[1:]
    assert err[0] == f"downloading MNIST into {directory}"
    assert f"https://{closed_port}/a/train-images-idx3-ubyte.gz: cannot be reached; " in err[1]
    assert f"https://{closed_port}/b/train-images-idx3-ubyte.gz: cannot be reached; " in err[1]
    assert "`nn train quickstart`" in err[1]
    assert "--data-dir" in err[1]
    assert content_of(directory) == {}
    assert list(Path.cwd().iterdir()) == []


def test_nn_train_does_not_replace_a_damaged_file(
    directory: Path,
    tiny_mnist: tuple[PinnedFile, PinnedFile],
    nn: Run,
    mirrors: Callable[..., None],
    server: LyingServer,
) -> None:
    mirrors(server.answer("/", GOOD), session=http_session())
    path = directory / tiny_mnist[0].name
    path.write_bytes(b"mine")
    code, out, err = nn("train", "--data-dir", str(directory))
    assert (code, out) == (1, "")
    assert [line.partition(": is not MNIST's file")[0] for line in err] == [f"Error: {path}"]
    assert path.read_bytes() == b"mine"
    assert server.requests == []
