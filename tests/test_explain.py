"""`mnist_nn.explain`: the page inside a notebook."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from browsing import OpenPage
from conftest import ROOT, Command

from data_scripts.idx import read_split
from mnist_nn import COSTS, Examples, Network, backprop, explain, forward
from mnist_nn.explaining.inspection import Inspection

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def examples_in(digits: Path) -> Examples:
    images, labels = (part[:20] for part in read_split(digits, "train"))
    return Examples.from_labels(images, labels, 10)


def test_a_notebook_shows_the_page_of_a_run(nn: Command, small: Path, digits: Path, browser: "Browser") -> None:
    """As a notebook does it: the HTML inside another page."""
    assert nn("train", small, "--run-dir", "run", "--set", "training.snapshots=3", "--quiet").code == 0
    examples = examples_in(digits)
    shown = explain("run", examples)
    assert repr(shown).startswith("<page about run, ")
    context = browser.new_context(viewport={"width": 1000, "height": 900})
    notebook = context.new_page()
    complaints: list[str] = []
    notebook.on("pageerror", lambda error: complaints.append(str(error)))
    notebook.set_content(f"<!doctype html><body>{shown._repr_html_()}</body>")
    page = notebook.frame_locator("iframe")
    page.locator("#agreement:not(:empty)").wait_for()
    page.locator("#step").click()
    page.locator("#transport .where", has_text="+ 1 step").wait_for()
    page.locator("#time").fill("0")
    page.locator(".moment", has_text="before training").wait_for()
    context.close()
    assert complaints == []


def test_a_network_is_explained_with_its_own_numbers(digits: Path, tmp_path: Path, browser: "Browser") -> None:
    network = Network([784, 6, 10], activation="tanh", dtype=np.float64)
    network.parameters[:] = np.random.default_rng(0).normal(0, 0.1, network.parameters.size)
    examples = examples_in(digits)
    explain(network, examples, cost="cross_entropy").save(tmp_path / "page.html")
    page = OpenPage(browser, tmp_path / "page.html")
    inspection = Inspection(network, COSTS["cross_entropy"], examples, list(range(20)))
    d = inspection.derivative(inspection.largest(), inspection.strongest(inspection.largest()))
    assert page.numbers(".rule") == pytest.approx([d.product, d.dz, d.da_dz, d.dC_da], rel=1e-12)
    page.context.close()
    assert page.complaints == []


def test_a_checkpoint_file_is_explained_too(nn: Command, small: Path, digits: Path) -> None:
    nn("train", small, "--run-dir", "run", "--quiet")
    assert "last.safetensors" in repr(explain(Path("run/checkpoints/last.safetensors"), examples_in(digits)))


def test_examples_that_do_not_fit_are_refused(digits: Path) -> None:
    with pytest.raises(ValueError, match="784"):
        explain(Network([4, 2]), examples_in(digits))


def test_the_documents_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The notebook in cli/PAGE.md."""
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "cli/PAGE.md").read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)
    assert "<iframe" in names["page"]._repr_html_()  # type: ignore[attr-defined]


def test_networks_gradients_and_examples_have_short_reprs(digits: Path) -> None:
    network, examples = Network([784, 3, 10]), examples_in(digits)
    x, y = (array.T.astype(np.float32) for array in (examples.inputs, examples.targets))
    gradient = backprop(network, COSTS["squared_error"], forward(network, x), y).gradient
    for thing in (network, gradient, examples):
        assert len(repr(thing)) < 120
    assert repr(examples) == "Examples(20 of 784 inputs (uint8) and 10 targets)"
    assert re.fullmatch(r"Gradient\(784-3-10, norm [\d.e-]+\)", repr(gradient))
