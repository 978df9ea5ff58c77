"""The page of `nn inspect-gradients --html`, opened in a real browser for the tests."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Command

try:
    from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, sync_playwright
except ModuleNotFoundError:
    sync_playwright = None  # type: ignore[assignment]
CHROMIUM = shutil.which("chromium")
SIZES = (784, 12, 8, 10)


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    lacking = "Playwright (pip install -e '.[browser]')" if sync_playwright is None else None
    if CHROMIUM is None:
        lacking = "the command `chromium` (Debian's package of that name)"
    if lacking:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"needs {lacking}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the run is that all tests read."""
    return tmp_path_factory.mktemp("runs") / "one"


@pytest.fixture
def run(nn: Command, small: Path, kept: Path) -> Path:
    if not kept.exists():
        settings = ("--set", f"network.sizes={list(SIZES)}", "--set", "network.init=glorot_uniform")
        assert nn("train", small, *settings, "--run-dir", kept, "--quiet").code == 0
    return kept


def write_page(nn: Command, *arguments: object) -> tuple[Path, dict[str, Any]]:
    """The page, and the `--json` output of the same inspection."""
    outcome = nn("inspect-gradients", *arguments, "--html", "page.html", "--json")
    assert outcome.code == 0, outcome.err
    return Path("page.html").absolute(), json.loads(outcome.out)


def page_once(nn: Command, file: Path, *arguments: object) -> Path:
    """The page of a run that several tests read, written for the first of them."""
    if not file.exists():
        assert nn("inspect-gradients", *arguments, "--html", file).code == 0
    return file


class OpenPage:
    """A page in a browser, with its requests and complaints."""

    def __init__(self, browser: "Browser", file: Path, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page: Page = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", self._record)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        self.page.goto(file.as_uri())
        self.find("#agreement:not(:empty)").wait_for()

    def _record(self, message: "ConsoleMessage") -> None:
        if "willReadFrequently" not in message.text:  # only the tests read the canvases
            self.complaints.append(message.text)

    def find(self, selector: str, **options: Any) -> "Locator":
        return self.page.locator(selector, **options)

    def wait_until(self, condition: str) -> None:
        """Wait until a JavaScript expression is true. (The page's policy forbids Playwright's own way.)"""
        for _ in range(100):
            if self.page.evaluate(condition):
                return
            self.page.wait_for_timeout(100)
        raise AssertionError(condition)

    def text(self, selector: str) -> str:
        return self.find(selector).inner_text()

    def fields(self) -> dict[str, float]:
        """Every number that also has a field in the `--json` output, at full precision."""
        pairs = self.page.eval_on_selector_all(
            "[data-field]", "all => all.map(one => [one.dataset.field, Number(one.dataset.value)])"
        )
        return dict(pairs)

    def numbers(self, selector: str) -> list[float]:
        return self.page.eval_on_selector_all(f"{selector} .number", "all => all.map(one => Number(one.dataset.value))")

    def activations(self, sizes: tuple[int, ...]) -> dict[int, list[float]]:
        read = "all => all.map(one => Number(one.dataset.value))"
        return {l: self.page.eval_on_selector_all(f"[id^=neuron-{l}-]", read) for l in range(1, len(sizes))}

    def maths(self, selector: str) -> list[str]:
        """The formulas of an element: each formula's letters, then its subscript, then its superscript."""
        return [text.replace("\u00a0", " ") for text in self.find(f"{selector} math").all_text_contents()]

    def parameter(self) -> str:
        """The chosen parameter as in the terminal: w(3)[4,7]."""
        return re.sub(r"^([wb])([\d,]+)(\(\d+\))$", r"\1\3[\2]", self.maths(".names")[0])

    def on_wire(self, k: int, share: float) -> tuple[float, float]:
        """A point of the screen on the connection from neuron k, at this share of its way from the left."""
        find = """([k, share]) => {
            const line = document.querySelector(`.wire[data-place$=",${k}"]`);
            line.scrollIntoView({ block: "center" });
            const box = line.closest("svg").getBoundingClientRect();
            const [x1, y1, x2, y2] = ["x1", "y1", "x2", "y2"].map((name) => Number(line.getAttribute(name)));
            return [box.left + x1 + share * (x2 - x1), box.top + y1 + share * (y2 - y1)];
        }"""
        return tuple(self.page.evaluate(find, [k, share]))

    def choose(self, l: int, j: int, k: int) -> None:
        for name, value in (("l", l), ("j", j), ("k", k)):
            self.find(f"#place-{name}").fill(str(value))
            self.find(f"#place-{name}").press("Enter")


@pytest.fixture
def page_file(nn: Command, run: Path) -> Path:
    """The page of a trained 784-12-8-10 network, at w(3)[4,7] for example 9."""
    return page_once(nn, run.parent / "page.html", run, "--weight", "3,4,7", "--example", "9", "--batch", "40")


@pytest.fixture
def open_page(page_file: Path, browser: "Browser") -> Iterator[OpenPage]:
    """This page, opened."""
    file = page_file
    page = OpenPage(browser, file)
    yield page
    page.context.close()
    assert page.requests == [file.as_uri()]
    assert page.complaints == []


def at(document: Any, path: str) -> float:
    """The number at a path in a `--json` document, such as weight.nudge.dz."""
    for name in path.split("."):
        document = document[int(name)] if isinstance(document, list) else document[name]
    return float(document)
