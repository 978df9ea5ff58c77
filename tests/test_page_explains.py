"""The page explains the chain rule: equations above their derivatives, what each factor means, the tree up to the cost."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from browsing import SIZES, OpenPage, write_page
from conftest import Command
from test_page import inspection_of

from mnist_nn import forward
from mnist_nn.explaining.inspection import Inspection
from mnist_nn.explaining.parameter import Parameter
from mnist_nn.page.file import inlined, module

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def equation(open_page: OpenPage, step: int) -> list[float]:
    return open_page.numbers(f".step:nth-child({step}) > .equation")


def slopes(open_page: OpenPage) -> list[float]:
    return open_page.numbers(".slope")


@pytest.fixture
def inspection(run: Path, digits: Path) -> Inspection:
    """Of the examples that the page shows, with example 9 at position 9."""
    return inspection_of(run, digits, list(range(40)))


# The equations


def test_each_equation_stands_above_its_derivative(open_page: OpenPage, inspection: Inspection) -> None:
    d = inspection.derivative(Parameter(3, 4, 7), 9)
    b = float(inspection.network.b[3][4, 0])
    y = float(inspection.y[4, 9])
    assert equation(open_page, 1) == pytest.approx([d.z, d.value, d.dz, d.z - d.value * d.dz - b, b], rel=1e-12)
    assert equation(open_page, 2) == pytest.approx([d.a, d.z], rel=1e-12)
    assert equation(open_page, 3) == pytest.approx([d.C, d.a, y, d.C - (d.a - y) ** 2], rel=1e-12)
    assert slopes(open_page) == pytest.approx([d.dz, d.da_dz, d.dC_da], rel=1e-12)


def test_a_hidden_neurons_third_step_is_a_sum(open_page: OpenPage, inspection: Inspection) -> None:
    """The strongest path is written out. The other paths are one number."""
    open_page.choose(2, 5, 3)
    paths = inspection.paths(2, 5, 9)
    best = max(paths.terms, key=lambda path: abs(path.product))
    expected = [paths.sum, best.w, best.da_dz, best.dC_da, paths.sum - best.product]
    assert equation(open_page, 3) == pytest.approx(expected, rel=1e-11)
    assert open_page.maths(".rule")[-1] == "∑j∂zj(3)∂a5(2)·∂aj(3)∂zj(3)·∂C9∂aj(3)"


def test_each_sum_on_a_path_unfolds_the_next(open_page: OpenPage, inspection: Inspection) -> None:
    open_page.choose(1, 3, 400)
    first, second = list(inspection.route(Parameter(1, 3, 400), 9))[:2]
    deeper = open_page.find(".deeper")
    assert not deeper.is_visible()
    open_page.find("[data-key='deeper-2']").press("Enter")
    assert deeper.is_visible()
    best = max(second.terms, key=lambda path: abs(path.product))
    expected = [second.sum, best.w, best.da_dz, best.dC_da, second.sum - best.product]
    assert second.neuron == first.through
    assert open_page.numbers(".deeper > .equation") == pytest.approx(expected, rel=1e-10)
    assert open_page.find("[data-key='deeper-2']").get_attribute("aria-expanded") == "true"


def test_the_chains_rule_is_written_out_to_the_cost(nn: Command, browser: "Browser") -> None:
    open_page = OpenPage(browser, write_page(nn, "chain", "--init", "--weight", "1,0,0")[0])
    assert open_page.maths(".rule")[-1] == "∂z0(2)∂a0(1)·∂a0(2)∂z0(2)·∂z0(3)∂a0(2)·∂a0(3)∂z0(3)·∂C0∂a0(3)"
    assert open_page.complaints == []
    open_page.context.close()


def test_a_biass_derivative_is_one(open_page: OpenPage, inspection: Inspection) -> None:
    open_page.find("#bias").check()
    d = inspection.derivative(Parameter(3, 4), 9)
    assert equation(open_page, 1) == pytest.approx([d.z, d.z - d.value, d.value], rel=1e-12)
    assert slopes(open_page) == pytest.approx([1, d.da_dz, d.dC_da], rel=1e-12)


def test_cross_entropy_has_its_own_equation(nn: Command, small: Path, browser: "Browser") -> None:
    small.write_text(small.read_text() + "cost: cross_entropy\n")
    file, _ = write_page(nn, small, "--init")
    open_page = OpenPage(browser, file)
    open_page.choose(2, 4, 7)
    C, own, others = equation(open_page, 3)
    assert own + others == pytest.approx(C, rel=1e-12)
    assert "ln" in open_page.maths(".step:nth-child(3)")[1]
    assert re.search(r"multiply to\s+𝑎\s+−\s+𝑦", open_page.text(".chain > .why"))
    open_page.context.close()


def test_after_a_step_each_number_shows_the_one_before(open_page: OpenPage) -> None:
    before = open_page.numbers(".rule") + [number for step in (1, 2, 3) for number in equation(open_page, step)]
    del before[-2]  # y, which no step changes
    earlier = open_page.find(".rule .earlier:not(:empty), .step > .equation .earlier:not(:empty)")
    assert earlier.count() == 0
    open_page.find("#step").click()
    open_page.find(".with-earlier").wait_for()
    shown = [text.removeprefix("was").replace("−", "-") for text in earlier.all_inner_texts()]
    assert [float(text) for text in shown] == [float(f"{number:.2e}") for number in before]


# The sums unfold


def rows(open_page: OpenPage, panel: str) -> list[list[float]]:
    read = "all => all.map(row => [...row.querySelectorAll('.number')].map(one => Number(one.dataset.value)))"
    return open_page.page.eval_on_selector_all(f"#{panel} .summand", read)


def test_the_terms_of_z_add_up(open_page: OpenPage, inspection: Inspection) -> None:
    """The strongest ten come first, then all."""
    open_page.choose(1, 3, 400)
    unfold = open_page.find("[data-key='unfold-z']")
    assert unfold.get_attribute("aria-expanded") == "false"
    unfold.press("Enter")
    assert unfold.get_attribute("aria-expanded") == "true"
    products = inspection.network.w[1][3] * inspection.x[:, 9]
    strongest = sorted(np.abs(products))[::-1]
    assert [abs(row[2]) for row in rows(open_page, "terms-z")] == pytest.approx(strongest[:10], rel=1e-12)
    open_page.find("#terms-z .more button").press("Enter")
    shown = rows(open_page, "terms-z")
    assert len(shown) == 784
    assert sum(row[2] for row in shown) == pytest.approx(products.sum(), rel=1e-11)
    assert all(w * a == product for w, a, product in shown)
    total, b, z = open_page.numbers("#terms-z .total")
    assert total + b == pytest.approx(z, rel=1e-12)
    unfold.press("Enter")
    assert not open_page.find("#terms-z").is_visible()


def test_the_terms_of_the_cost_add_up(open_page: OpenPage, inspection: Inspection) -> None:
    open_page.find("[data-key='unfold-C']").click()
    costs = (inspection.passed.a[3][:, 9] - inspection.y[:, 9]) ** 2
    assert sorted(row[-1] for row in rows(open_page, "terms-C")) == pytest.approx(sorted(costs), rel=1e-12)
    assert open_page.numbers("#terms-C .total") == pytest.approx([inspection.C[9]], rel=1e-12)


def test_a_terms_row_chooses_its_weight(open_page: OpenPage) -> None:
    open_page.find("[data-key='unfold-z']").click()
    row = open_page.find("#terms-z .summand").nth(2)
    name = re.match(r"w(\d+),(\d+)\(3\)", row.locator("math").text_content() or "")
    assert name
    row.press("Enter")
    assert open_page.parameter() == f"w(3)[{name[1]},{name[2]}]"
    assert open_page.find("#terms-z").is_visible()  # stays unfolded
    assert open_page.find("#terms-z [aria-current='true']").count() == 1


# What the factors mean

MEANING = """async ([code, sizes, activation, output, cost, parameters, x, y, place, side]) => {
    const page = await import("data:text/javascript," + encodeURIComponent(code));
    const network = new page.Network(sizes, activation, output, cost, Float64Array.from(parameters));
    const passed = page.forward(network, Float64Array.from(x));
    const back = page.backprop(network, passed, y);
    const derivative = {
        dz: page.dzOf(passed, place), da_dz: back.da_dz[place.l][place.j], dC_da: back.dC_da[place.l][place.j],
        product: page.derivativeOf(passed, back, place),
    };
    return page.meaningOf({ place, passed, back, y, derivative }, { network, side });
}"""


@pytest.fixture(scope="module")
def code() -> str:
    """The modules that the sentences need, as one."""
    texts = [inlined(module(name)) for name in ("dom", "network", "meaning")]
    exported = "Network, forward, backprop, dzOf, derivativeOf, meaningOf, meaningOfSum"
    return "\n".join([*texts, f"export {{ {exported} }};"])


PLAIN: dict[str, Any] = {
    "sizes": [2, 1], "activation": "sigmoid", "output": "sigmoid", "cost": "squared_error",
    "parameters": [1, 0, 0], "x": [0.5, 1], "y": [1], "l": 1, "j": 0, "k": 0, "side": 28,
}  # fmt: skip
TWO_LAYERS = {"sizes": [2, 1, 2], "parameters": [1, 0, 0, 2, -1, 0, 0], "y": [1, 0]}


@pytest.mark.parametrize(
    ("change", "factor", "expected"),
    [
        ({"x": [0, 1]}, "dz", "This pixel is empty: for this example its weight cannot matter."),
        ({"x": [0.05, 1]}, "dz", "This pixel has hardly any ink: its weight has little effect."),
        ({}, "dz", "This pixel is grey: {z} moves 0.500 times as much as the weight."),
        ({"x": [1, 1]}, "dz", "This pixel is full of ink, so its weight has full effect."),
        ({"side": None}, "dz", "This input is 0.500: {z} moves 0.500 times as much as the weight."),
        ({"x": [-2, 1], "side": None}, "dz", "is negative: {z} moves 2 times as much as the weight, in the opposite"),
        ({"k": None}, "dz", "A bias is simply added: {z} moves exactly as much as the bias."),
        ({"parameters": [14, 0, 0.2]}, "da_dz", "{z} = 7.20 lies on the flat upper end of {σ}: this neuron hardly"),
        ({"parameters": [-14, 0, 0]}, "da_dz", "lies on the flat lower end of {σ}"),
        ({}, "da_dz", "lies in the steep middle of {σ}"),
        ({"output": "relu"}, "da_dz", "{z} is positive: ReLU passes every change on unchanged."),
        ({"output": "relu", "parameters": [-1, 0, 0]}, "da_dz", "{z} is negative: ReLU answers 0 and ignores small"),
        ({"output": "identity"}, "da_dz", "The activation is {z} itself, so every change passes unchanged."),
        ({"parameters": [5.2, 0, 0], "y": [0]}, "dC_da", "The output is 0.931 but should be 0: far off, so everything"),
        ({"parameters": [5.2, 0, 0], "y": [0]}, "dC_da", "This output should fall."),
        ({"parameters": [9, 0, 0]}, "dC_da", "The output is 0.989 and should be 1: close, so {C} hardly depends on th"),
        ({**TWO_LAYERS, "j": 0}, "dC_da", "This neuron’s blame is a sum over 2 outputs. The largest share, −0.159"),
        ({**TWO_LAYERS, "j": 0}, "dC_da", "comes through output 1"),
        ({"x": [0, 1]}, "product", "Why is the derivative 0? This pixel is empty, so {∂z/∂w} is 0."),
        ({"output": "relu", "parameters": [-1, 0, 0]}, "product", "ReLU is switched off here, so {σ′} is 0."),
        ({"output": "identity", "parameters": [2, 0, 0]}, "product", "The output is exactly as desired"),
        ({"parameters": [16, 0, 0], "y": [0]}, "product", "so small? This neuron is saturated, so {σ′} is small."),
        ({}, "product", "Raising this weight lowers the cost, so training raises this weight. The minus sign comes"),
        ({"y": [0]}, "product", "Raising this weight raises the cost, so training lowers this weight."),
        ({"cost": "cross_entropy"}, "product", "{σ′} and {∂C/∂a} multiply to {a} − {y} = −0.378."),
    ],
)  # fmt: skip
def test_each_factor_has_its_sentence(
    change: dict[str, Any], factor: str, expected: str, code: str, browser: "Browser"
) -> None:
    case = {**PLAIN, **change}
    place = {name: case[name] for name in "ljk"}
    names = ("sizes", "activation", "output", "cost", "parameters", "x", "y")
    tab = browser.new_page()
    meaning = tab.evaluate(MEANING, [code, *(case[name] for name in names), place, case["side"]])
    tab.close()
    assert expected in meaning[factor], meaning


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ([0.5], "There is one path, so {∂C/∂a} = 0.500 is one product."),
        ([0, 0, 0], "{∂C/∂a} is 0: each of its 3 shares is 0."),
        ([0.9, 0.05, 0.05], "{∂C/∂a} = 1 is the sum of 3 shares; one of them makes 90 % of it."),
        ([-0.75, -0.1875, -0.0625], "{∂C/∂a} = −1 is the sum of 3 shares; two of them make 94 % of it."),
        ([0.6, -0.4], "two of them make 100 % of their size. They have both signs: 80 % of the size cancels."),
    ],
)
def test_the_sum_over_paths_has_its_sentence(shares: list[float], expected: str, code: str, browser: "Browser") -> None:
    tab = browser.new_page()
    run = "async ([code, shares]) => (await import('data:text/javascript,' + encodeURIComponent(code))).meaningOfSum(shares)"
    sentence = tab.evaluate(run, [code, shares])
    tab.close()
    assert expected in sentence


def test_an_empty_pixels_weight_says_why_it_is_0(open_page: OpenPage) -> None:
    open_page.choose(1, 3, 0)
    assert open_page.numbers(".rule")[0] == 0
    assert open_page.text(".chain > .why").startswith("Why is the derivative 0? This pixel is empty")


# The tree


def tree(open_page: OpenPage) -> dict[str, tuple[float, float]]:
    """Every variable of the tree with its value and its change, from top to bottom."""
    read = "all => all.map(one => [one.dataset.variable, Number(one.dataset.value), Number(one.dataset.change)])"
    return {name: (value, change) for name, value, change in open_page.page.eval_on_selector_all(".variable", read)}


def test_the_tree_goes_up_to_the_cost(open_page: OpenPage, inspection: Inspection) -> None:
    """It follows the strongest path."""
    open_page.choose(1, 3, 400)
    m, n = (paths.through for paths in list(inspection.route(Parameter(1, 3, 400), 9))[:2])
    own = ["w(1)[3,400]", "a(0)[400]", "b(1)[3]", "z(1)[3]", "a(1)[3]"]
    assert list(tree(open_page)) == [*own, f"z(2)[{m}]", f"a(2)[{m}]", f"z(3)[{n}]", f"a(3)[{n}]", f"y[{n}]", "C_9"]
    notes = open_page.find(".tree .note").all_text_contents()
    assert notes == ["σ", f"and {SIZES[2] - 1} other paths", "σ", f"and {SIZES[3] - 1} other paths", "σ"]


def test_the_trees_changes_equal_the_networks(open_page: OpenPage, inspection: Inspection) -> None:
    """After a nudge of 1, every z and a on the path, and C, change like the network's."""
    k = int(inspection.x[:, 9].argmax())
    open_page.choose(1, 3, k)
    before = inspection.passed
    open_page.find("#nudge").press("End")
    inspection.network.w[1][3, k] += 1
    after = forward(inspection.network, inspection.x[:, 9:10])
    y = inspection.y[:, 9]
    shown = tree(open_page)
    for name, (value, change) in shown.items():
        if found := re.fullmatch(r"([za])\(([123])\)\[(\d+)\]", name):
            layers = [getattr(passed, found[1])[int(found[2])][int(found[3])] for passed in (before, after)]
            assert value == pytest.approx(layers[0][9], rel=1e-11), name
            assert change == pytest.approx(layers[1][0] - layers[0][9], rel=1e-8, abs=1e-12), name
    dC = ((after.a[3][:, 0] - y) ** 2).sum() - inspection.C[9]
    assert shown["C_9"][1] == pytest.approx(dC, rel=1e-8)
    assert shown["z(1)[3]"][1] != 0


def test_a_key_on_a_variable_chooses_it(open_page: OpenPage) -> None:
    open_page.choose(1, 3, 400)
    (_, neuron), *_ = re.findall(r"(z)\(2\)\[(\d+)\]", " ".join(tree(open_page)))
    open_page.find(f".variable[data-variable='z(2)[{neuron}]']").press("Enter")
    assert open_page.parameter() == f"w(2)[{neuron},3]"
    assert open_page.page.evaluate("document.activeElement.dataset.variable") == f"z(2)[{neuron}]"
    open_page.find(f".variable[data-variable='b(2)[{neuron}]']").press(" ")
    assert open_page.parameter() == f"b(2)[{neuron}]"


def test_the_tree_follows_the_walked_route(open_page: OpenPage) -> None:
    open_page.find('.path[data-j="3"]').click()
    assert {"z(3)[3]", "a(3)[3]"} <= set(tree(open_page))
    assert open_page.find(".step:nth-child(3) > .equation math >> nth=1").text_content() == "∂z3(3)∂a7(2)"


# Accessibility


@pytest.mark.parametrize("width", [340, 1200])
def test_axe_finds_nothing_serious_when_all_is_unfolded(width: int, nn: Command, run: Path, browser: "Browser") -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe: pip install -e '.[browser]'")
    file, _ = write_page(nn, run, "--weight", "1,3,400")
    open_page = OpenPage(browser, file, viewport={"width": width, "height": 800})
    for key in ("unfold-z", "deeper-2", "unfold-paths-1", "unfold-paths-2"):
        open_page.find(f"[data-key='{key}']").click()
    violations = axe.Axe().run(open_page.page).response["violations"]
    serious = [v["id"] + ": " + v["nodes"][0]["html"] for v in violations if v["impact"] in ("serious", "critical")]
    assert serious == []
    assert open_page.page.evaluate("document.documentElement.scrollWidth") <= width
    open_page.context.close()


def test_no_text_of_the_chain_is_tiny(open_page: OpenPage) -> None:
    """Superscripts and subscripts apart, the text is 13 pixels or larger."""
    read = """() => [...document.querySelectorAll(".chain *:not(math *)")]
        .filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
        .map((one) => parseFloat(getComputedStyle(one).fontSize))"""
    assert min(open_page.page.evaluate(read)) >= 13
