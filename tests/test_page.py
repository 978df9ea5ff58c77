"""`nn inspect-gradients --html`: one file that is safe to open, tested in a real browser."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from browsing import SIZES, OpenPage, at, write_page
from conftest import Command

from data_scripts.idx import read_split
from mnist_nn import COSTS, Network, backprop, forward, initial_state, load_checkpoint, read_config
from mnist_nn.chapter.activation import ACTIVATIONS
from mnist_nn.examples.dataset import Examples
from mnist_nn.examples.deslanting import deslant
from mnist_nn.explaining.inspection import Inspection
from mnist_nn.explaining.parameter import Parameter
from mnist_nn.page.file import embedded_json, module, modules

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def inspection_of(run: Path, digits: Path, indices: list[int]) -> Inspection:
    images, labels = (part[-50:] for part in read_split(digits, "train"))  # the validation split
    examples = Examples.from_labels(images, labels, 10)[np.array(indices)]
    network = load_checkpoint(run / "checkpoints/best.safetensors").network
    return Inspection(network, COSTS["squared_error"], examples, indices)


# The file


def test_a_usual_networks_page_is_under_1_5_megabytes(nn: Command, small: Path) -> None:
    """The network is 784-100-10."""
    file, _ = write_page(nn, small, "--init")
    small.write_text(small.read_text().replace("[784, 12, 10]", "[784, 100, 10]"))
    larger, _ = write_page(nn, small, "--init")
    assert larger == file
    assert larger.stat().st_size < 1.5e6
    assert larger.stat().st_size > 79_510 * 8  # it holds all parameters as doubles


def test_the_page_loads_nothing_and_its_policy_forbids_it(nn: Command, run: Path) -> None:
    file, _ = write_page(nn, run)
    text = file.read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert not re.search(r"\b(src|href|action)=", text)
    assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|eval|innerHTML|import)\b\s*[(=.]", text)
    addresses = set(re.findall(r"https?://[^\s\"'<]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1998/Math/MathML"}  # XML namespaces


def test_page_modules_export_different_names() -> None:
    """Every imported name is exported, and every module comes after the modules that it imports."""
    exported: set[str] = set()
    for code in modules():
        for names in re.findall(r"^import \{(.*?)\} from", code, re.M | re.S):
            assert {name.strip() for name in names.split(",")} - {""} <= exported, names
        for name in re.findall(r"^export (?:function\*?|const|class) (\w+)", code, re.MULTILINE):
            assert name not in exported, name
            exported.add(name)
        assert not re.search(r"^export (?!(function\*?|const|class) )", code, re.MULTILINE)


def test_a_page_replaces_a_page_but_no_other_file(nn: Command, run: Path) -> None:
    Path("page.html").write_text("my homework")
    outcome = nn("inspect-gradients", run, "--html", "page.html")
    assert outcome.code == 2
    assert "page.html: already exists and was not written by this command; choose another name" in outcome.error
    assert Path("page.html").read_text() == "my homework"
    Path("page.html").unlink()
    write_page(nn, run)
    write_page(nn, run, "--weight", "1,2,400")
    assert '"k": 400' in Path("page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("sizes", "batch", "expected"),
    [
        ("[784, 3200, 10]", "8", "a page holds a network of at most 2,500,000 parameters"),
        ("[784, 2, 10]", "501", "a page holds at most 500 examples; use a smaller --batch"),
    ],
)
def test_too_large_a_network_or_batch_is_refused(sizes: str, batch: str, expected: str, nn: Command) -> None:
    Path("large.yaml").write_text(f"data: {{source: synthetic, validation: 600}}\nnetwork: {{sizes: {sizes}}}\n")
    outcome = nn("inspect-gradients", "large.yaml", "--init", "--batch", batch, "--html", "page.html")
    assert outcome.code == 2
    assert expected in outcome.error
    assert not Path("page.html").exists()


# The content of the page


@pytest.mark.parametrize("place", [("--weight", "3,4,7"), ("--weight", "1,3,400"), ("--bias", "2,5")])
def test_the_pages_numbers_equal_the_json(place: tuple[str, str], nn: Command, run: Path, browser: "Browser") -> None:
    file, document = write_page(nn, run, *place, "--example", "9", "--batch", "40")
    open_page = OpenPage(browser, file)
    open_page.find("[aria-label='nudge by 0.01']").click()
    fields = open_page.fields()
    kind = place[0].removeprefix("--")
    p = kind[0]
    expected = {f"{kind}.{name}" for name in ("value", f"dz_d{p}", "da_dz", "dC_da", f"dC_d{p}", f"mean_dC_d{p}")}
    expected |= {f"{kind}.nudge.{name}" for name in (f"d{p}", "dz", "da", "dC")}
    expected |= {f"{kind}.per_example.{i}" for i in range(40)}
    sums = "paths" if "paths" in document else "route.0"
    for i in range(len(document["route"][0]["terms"])):
        expected |= {f"{sums}.terms.{i}.{name}" for name in ("w", "da_dz", "dC_da", "product")}
    assert set(fields) == expected | {f"{sums}.sum"}
    for field, value in fields.items():
        assert value == pytest.approx(at(document, field), rel=1e-12, abs=1e-15), field
    assert re.search(r"the largest difference is [0-9]e[-+]\d+", open_page.text("#agreement"))
    open_page.context.close()


@pytest.mark.parametrize(
    ("settings", "sizes"),
    [
        (["cost=cross_entropy"], (784, 12, 10)),
        (["network.activation=tanh", "network.sizes=[784, 9, 7, 10]"], (784, 9, 7, 10)),
        (["network.activation=relu"], (784, 12, 10)),
    ],
    ids=["cross-entropy", "tanh", "relu"],
)
def test_the_page_computes_the_same_activations_as_python(
    settings: list[str], sizes: tuple[int, ...], nn: Command, small: Path, digits: Path, browser: "Browser"
) -> None:
    """For 100 images, its answers are the same too."""
    overrides = [part for setting in settings for part in ("--set", setting)]
    nn("train", small, *overrides, "--run-dir", "run", "--quiet")
    file, document = write_page(nn, "run", "--split", "train", "--batch", "100")
    images, _ = read_split(digits, "train")
    network = load_checkpoint(Path("run/checkpoints/best.safetensors")).network.astype(np.float64)
    passed = forward(network, images[:100].reshape(100, -1).T * (1 / 255))
    open_page = OpenPage(browser, file)
    gallery = open_page.find(".gallery")
    gallery.press("Home")
    for i in range(100):
        for l, a in open_page.activations(sizes).items():
            np.testing.assert_allclose(a, passed.a[l][:, i], rtol=1e-12, atol=1e-15)
        assert open_page.text("#answer") == str(passed.a[network.L][:, i].argmax())
        gallery.press("ArrowRight")
    for field, value in open_page.fields().items():
        assert value == pytest.approx(at(document, field), rel=1e-12, abs=1e-15), field
    open_page.context.close()


def test_the_pages_mathematics_equals_pythons(browser: "Browser", random: np.random.Generator) -> None:
    """This holds for every combination of activations and cost."""
    code = module("network")
    cases = [
        (hidden, output, cost)
        for hidden in ACTIVATIONS
        for output in ACTIVATIONS
        for cost in COSTS
        if COSTS[cost].output in (None, output)
    ]
    networks = []
    for hidden, output, _ in cases:
        network = Network([4, 3, 3, 2], activation=hidden, output=output, dtype=np.float64)
        network.parameters[:] = random.normal(0, 0.4, network.parameters.size)  # small enough that no neuron saturates
        networks.append(network)
    x, y = random.normal(0, 1, 4), random.random(2)
    run = """async ([code, cases, parameters, x, y]) => {
        const page = await import("data:text/javascript," + encodeURIComponent(code));
        const known = [Object.keys(page.ACTIVATIONS), Object.keys(page.COSTS)];
        return [known, cases.map(([hidden, output, cost], i) => {
            const network = new page.Network([4, 3, 3, 2], hidden, output, cost, Float64Array.from(parameters[i]));
            const passed = page.forward(network, Float64Array.from(x));
            const back = page.backprop(network, passed, Float64Array.from(y));
            const all = (layers) => layers.slice(1).map((layer) => Array.from(layer));
            return { C: page.costOf(network, passed, y), z: all(passed.z), a: all(passed.a),
                     dC_da: all(back.dC_da), da_dz: all(back.da_dz), dC_dz: all(back.dC_dz) };
        })];
    }"""
    tab = browser.new_page()
    arguments = [code, cases, [network.parameters.tolist() for network in networks], x.tolist(), y.tolist()]
    known, answers = tab.evaluate(run, arguments)
    tab.close()
    assert [set(names) for names in known] == [set(ACTIVATIONS), set(COSTS)]
    for (hidden, output, cost), network, answer in zip(cases, networks, answers, strict=True):
        inspection = Inspection(network, COSTS[cost], Examples(x[None], y[None]), [0])
        assert answer["C"] == pytest.approx(inspection.C[0], rel=1e-12), (hidden, output, cost)
        for l in network.layers:
            for name, expected in (
                ("z", inspection.passed.z[l]), ("a", inspection.passed.a[l]), ("da_dz", inspection.back.da_dz[l]),
                ("dC_da", inspection.dC_da(l)), ("dC_dz", inspection.back.dC_dz[l]),
            ):  # fmt: skip
                np.testing.assert_allclose(
                    answer[name][l - 1], expected[:, 0], rtol=1e-12, atol=1e-15, err_msg=f"{hidden} {output} {cost}"
                )


def test_clicking_a_connection_shows_its_factors(open_page: OpenPage, run: Path, digits: Path) -> None:
    open_page.page.mouse.click(*open_page.on_wire(2, 0.5))
    d = inspection_of(run, digits, list(range(40))).derivative(Parameter(3, 4, 2), 9)
    assert open_page.parameter() == "w(3)[4,2]"
    assert open_page.numbers(".rule") == pytest.approx([d.product, d.dz, d.da_dz, d.dC_da], rel=1e-12)


def test_clicking_a_neuron_selects_its_strongest_connection(open_page: OpenPage, run: Path, digits: Path) -> None:
    open_page.find("#neuron-2-5").click()
    a = inspection_of(run, digits, [9]).passed.a[1][:, 0]
    assert open_page.parameter() == f"w(2)[5,{a.argmax()}]"


def test_the_nudge_changes_z_a_and_C_like_the_network(open_page: OpenPage, run: Path, digits: Path) -> None:
    open_page.find("#nudge").press("End")
    inspection = inspection_of(run, digits, list(range(40)))
    network: Network = inspection.network
    x, y = inspection.x[:, 9:10], inspection.y[:, 9]
    before = forward(network, x)
    network.w[3][4, 7] += 1
    after = forward(network, x)
    dz, da = (float((of(after)[3] - of(before)[3])[4, 0]) for of in (lambda p: p.z, lambda p: p.a))
    dC = float(((after.a[3][:, 0] - y) ** 2).sum() - ((before.a[3][:, 0] - y) ** 2).sum())
    assert open_page.numbers(".nudged") == pytest.approx([1, dz, da, dC], rel=1e-11)
    assert ("raises" if dC > 0 else "lowers") in open_page.text("#nudge-section")


def test_clicking_paths_walks_back_to_the_first_layer(open_page: OpenPage, run: Path, digits: Path) -> None:
    """The paths have the same products as in Python."""
    paths = inspection_of(run, digits, list(range(40))).paths(2, 7, 9)
    shown = dict(
        open_page.page.eval_on_selector_all(
            ".path",
            "all => all.map(one => [one.dataset.j, Number(one.querySelector('.product .number').dataset.value)])",
        )
    )
    assert shown == {str(path.j): pytest.approx(path.product, rel=1e-11) for path in paths.terms}
    open_page.find('.path[data-j="3"]').click()
    assert open_page.parameter().startswith("w(2)[7,")
    assert open_page.maths(".route") == ["C9", "a3(3)", "a7(2)"]
    open_page.find('.path[data-j="6"]').click()
    assert open_page.parameter().startswith("w(1)[")
    assert open_page.maths(".route")[:3] == ["C9", "a6(3)", "a7(2)"]
    assert "the chain has reached the input" in open_page.text("#paths")
    open_page.find(".route button").first.click()
    assert open_page.parameter() == "w(3)[4,7]"


def test_clicking_a_histogram_bar_loads_one_of_its_images(open_page: OpenPage, run: Path, digits: Path) -> None:
    values = inspection_of(run, digits, list(range(40))).derivative(Parameter(3, 4, 7), 9).per_example
    bars = open_page.find(".bin:not([disabled])")
    counts = [int(text) for text in open_page.find(".bin .count").all_inner_texts()]
    assert sum(counts) == 40
    bars.first.click()
    index = open_page.maths(".verdict")[-1].removeprefix("C")
    assert values[int(index)] < np.quantile(values, 0.5)
    assert "this one" in bars.first.inner_text()
    assert open_page.find(".member").count() == next(count for count in counts if count)


def test_the_pages_histogram_equals_the_terminals(nn: Command, run: Path, open_page: OpenPage) -> None:
    printed = nn("inspect-gradients", run, "--weight", "3,4,7", "--example", "9", "--batch", "40").out
    rows = re.findall(r"^ +(\S+) to +(\S+) +(\d+)", printed, re.MULTILINE)
    shown = [text.replace("−", "-").split() for text in open_page.find(".bin").all_inner_texts()]
    assert [(row[0], row[2], row[3]) for row in shown] == rows


def draw_a_seven(open_page: OpenPage) -> np.ndarray:
    """Draw a 7 in the upper left corner of the sheet. Returns the network's input: 28 × 28 bytes, white on black."""
    box = open_page.find(".sheet").bounding_box()
    assert box
    mouse = open_page.page.mouse
    mouse.move(box["x"] + 20, box["y"] + 20)
    mouse.down()
    mouse.move(box["x"] + 70, box["y"] + 20, steps=5)
    mouse.move(box["x"] + 40, box["y"] + 90, steps=5)
    mouse.up()
    read = "one => Array.from(one.getContext('2d').getImageData(0, 0, 28, 28).data.filter((_, i) => i % 4 === 0))"
    paper = np.array(open_page.page.eval_on_selector(".seen", read))
    return (255 - paper).astype(np.uint8).reshape(28, 28)


def test_a_drawn_digit_is_centred_and_read(open_page: OpenPage) -> None:
    """It has a cost, which depends on the desired output. Clearing empties the sheet."""
    ink = draw_a_seven(open_page).astype(float)
    rows, across = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    assert max(np.ptp(rows), np.ptp(across)) + 1 == 20
    centre = [(ink.sum(axis=axis) * (np.arange(28) + 0.5)).sum() / ink.sum() for axis in (0, 1)]
    assert centre == pytest.approx([14.5, 14.5], abs=0.5)
    before = open_page.text("#cost")
    assert open_page.text(".verdict").startswith("The network reads it as ")
    open_page.find(".desired input").nth(2).check()
    assert open_page.text("#cost") != before
    open_page.find("#clear").click()
    assert open_page.page.eval_on_selector(
        ".seen", "one => one.getContext('2d').getImageData(0, 0, 28, 28).data.every(v => v === 255)"
    )


def test_a_drawn_digit_is_deslanted_if_training_images_were(nn: Command, small: Path, browser: "Browser") -> None:
    seen = []
    for choice in ("false", "true"):
        assert nn("train", small, "--set", f"data.deslant={choice}", "--run-dir", choice, "--quiet").code == 0
        page = OpenPage(browser, write_page(nn, choice)[0])
        seen.append(draw_a_seven(page))
        page.context.close()
    as_drawn, upright = seen
    expected = deslant(as_drawn[np.newaxis])[0].astype(int)
    assert np.abs(expected - as_drawn).max() > 50
    np.testing.assert_allclose(upright, expected, atol=1)


def test_drawing_works_by_touch(nn: Command, run: Path, browser: "Browser") -> None:
    file, _ = write_page(nn, run)
    open_page = OpenPage(browser, file, has_touch=True, viewport={"width": 360, "height": 740})
    open_page.find(".sheet").tap()
    assert open_page.page.eval_on_selector(
        ".seen", "one => one.getContext('2d').getImageData(0, 0, 28, 28).data.some(v => v < 100)"
    )
    open_page.context.close()


def test_picking_an_image_scrolls_to_it_and_clears_the_drawing(open_page: OpenPage) -> None:
    inside = """() => {
        const gallery = document.querySelector(".gallery").getBoundingClientRect();
        const thumb = document.querySelector(".thumb[aria-selected='true']").getBoundingClientRect();
        return gallery.top <= thumb.top && thumb.bottom <= gallery.bottom + 1;
    }"""
    blank = "one => one.getContext('2d').getImageData(0, 0, 280, 280).data.every(v => v === 0)"
    open_page.find(".sheet").click()
    assert not open_page.page.eval_on_selector(".sheet", blank)
    for key in ("End", "Home", "ArrowDown", "End"):
        open_page.find(".gallery").press(key)
        assert open_page.page.evaluate(inside), key
    assert open_page.page.eval_on_selector(".sheet", blank)


@pytest.mark.parametrize(
    ("selector", "then"),
    [
        (".path >> nth=1", "path-1"),
        (".bin:not([disabled]) >> nth=0", "bin-0"),
        ("#guess-rises", "guess"),
        ("#another", "guess"),
        (".route button", "path-0"),
    ],
)
def test_the_focus_stays_where_a_key_was_pressed(selector: str, then: str, open_page: OpenPage) -> None:
    if selector == ".route button":
        open_page.find(".path").first.press("Enter")
    if selector.startswith(("#guess", "#another")):
        open_page.find("#guessing").check()
    if selector == "#another":
        open_page.find("#guess-rises").press("Enter")
    open_page.find(selector).press("Enter")
    assert open_page.page.evaluate("document.activeElement.dataset.key") == then


def test_picking_an_image_sets_the_desired_output_to_its_label(open_page: OpenPage) -> None:
    open_page.find("#example-5").click()
    assert open_page.maths(".verdict")[-1] == "C5"
    checked = open_page.find(".desired input:checked").get_attribute("value")
    label = open_page.find("#example-5").get_attribute("aria-label")
    assert label
    assert re.match(rf"example 5: label {checked}\b", label)


def test_heat_map_pixels_are_selected_by_mouse_and_keyboard(open_page: OpenPage) -> None:
    open_page.choose(1, 3, 400)
    heat = open_page.find(".heat").first
    heat.press("ArrowDown")
    assert open_page.parameter() == "w(1)[3,428]"
    heat.press("ArrowLeft")
    assert open_page.parameter() == "w(1)[3,427]"
    assert (heat.get_attribute("aria-valuetext") or "").startswith("w(1)[3,427]: ")
    heat.click(position={"x": 5, "y": 5})
    assert open_page.parameter() == "w(1)[3,0]"


def test_guess_mode_hides_the_answer_until_the_guess(open_page: OpenPage, run: Path, digits: Path) -> None:
    open_page.find("#guessing").check()
    for selector in (".rule", "#paths", "#average", "#tree", ".nudged"):
        assert not open_page.find(selector).is_visible(), selector
    product = inspection_of(run, digits, [9]).derivative(Parameter(3, 4, 7), 0).product
    open_page.find("#guess-rises" if product > 0 else "#guess-falls").click()
    assert "Right." in open_page.text("#guess-verdict")
    assert open_page.find(".rule").is_visible()
    assert open_page.text("#score").strip() == "1 of 1 right."
    open_page.find("#another").click()
    assert not open_page.find(".rule").is_visible()
    open_page.find("#guess-falls").click()
    assert open_page.text("#score").strip().endswith("of 2 right.")


# The page does not contradict itself


@pytest.fixture
def chain_page(nn: Command, browser: "Browser") -> Iterator[OpenPage]:
    """The page of the chapter's network: its only example is 0.6, for which it shall answer 1."""
    page = OpenPage(browser, write_page(nn, "chain", "--init")[0])
    yield page
    page.context.close()
    assert page.complaints == []


def enter(open_page: OpenPage, label: str, value: str) -> None:
    open_page.find(f"input[aria-label='{label}']").fill(value)
    open_page.find(f"input[aria-label='{label}']").press("Enter")


def costs(open_page: OpenPage) -> set[str]:
    """The index of every C whose value is on the page: empty for the average."""
    shown = open_page.page.eval_on_selector_all(
        ":is(#digit, .rule, #nudge-section, #average) :is(math .is-C, math.is-C)",
        "all => all.filter(one => one.checkVisibility() && one.localName !== 'mi').map(one => one.textContent)",
    )
    return {text.removeprefix("C") for text in shown}


def test_the_page_opens_without_a_nudge(open_page: OpenPage) -> None:
    weight = open_page.text(".names .number")
    assert open_page.text(".pointed").endswith(weight)
    in_tree = open_page.find(".is-w .variable-text span")
    assert in_tree.all_inner_texts() == [weight.removeprefix("+"), ""]
    open_page.find("[aria-label='nudge by 0.1']").click()
    assert in_tree.all_inner_texts() == [weight.removeprefix("+"), "Δ +0.100"]


def test_a_drawing_has_one_cost_and_steps_by_it(open_page: OpenPage) -> None:
    assert costs(open_page) == {"9", "i", ""}
    draw_a_seven(open_page)
    assert costs(open_page) == {"own", "i", ""}
    product, step = open_page.numbers(".rule")[0], open_page.numbers("#average > p:not([hidden])")
    assert "your own example, which is not in the batch" in open_page.text("#average")
    assert step[0] == product
    rate = step[-1] / -product
    open_page.find("#example-9").click()
    average, change = open_page.numbers("#average > p:not([hidden])")
    assert change / -average == pytest.approx(rate, rel=1e-12)


def test_an_image_with_another_y_is_an_own_example(open_page: OpenPage) -> None:
    label = int(open_page.find(".desired input:checked").get_attribute("value") or "")
    open_page.find(".desired input").nth((label + 1) % 10).check()
    assert "9" not in costs(open_page)
    assert "this one" not in open_page.text(".histogram")
    open_page.find(".desired input").nth(label).check()
    assert costs(open_page) == {"9", "i", ""}
    assert "this one" in open_page.text(".histogram")


def test_own_numbers_step_by_their_own_derivative(chain_page: OpenPage) -> None:
    """The batch, which is another example, is not shown."""
    assert costs(chain_page) == {"0", ""}
    enter(chain_page, "a(0)[0]", "0.9")
    assert costs(chain_page) == {"own"}
    product = chain_page.numbers(".rule")[0]
    assert chain_page.numbers("#average > p:not([hidden])") == pytest.approx([product, -product])  # η = 1


def test_the_nearest_connection_is_highlighted_and_then_chosen(nn: Command, small: Path, browser: "Browser") -> None:
    """The network is 784-100-10. Output neuron 0 is level with a row of its grid."""
    small.write_text(small.read_text().replace("[784, 12, 10]", "[784, 100, 10]"))
    open_page = OpenPage(browser, write_page(nn, small, "--init", "--weight", "2,0,0")[0])
    open_page.on_wire(0, 0.7)  # scrolls to it
    pointed = open_page.page.evaluate(
        """() => {
        const box = document.querySelector(".stage svg").getBoundingClientRect();
        return [...document.querySelectorAll(".wire")].map((line) => {
            const [x1, y1, x2, y2] = ["x1", "y1", "x2", "y2"].map((name) => Number(line.getAttribute(name)));
            const [x, y] = [box.left + 0.3 * x1 + 0.7 * x2, box.top + 0.3 * y1 + 0.7 * y2];
            const at = { bubbles: true, clientX: x, clientY: y };
            document.elementFromPoint(x, y).dispatchEvent(new PointerEvent("pointermove", at));
            return [line.dataset.place, document.querySelector(".wire.near")?.dataset.place];
        });
    }"""
    )
    assert len(pointed) == 100
    assert [near for _, near in pointed] == [line for line, _ in pointed]
    open_page.page.mouse.move(*open_page.on_wire(99, 0.7))
    assert open_page.maths(".pointed") == ["w0,99(2)"]
    assert open_page.parameter() == "w(2)[0,0]"
    open_page.page.mouse.click(*open_page.on_wire(42, 0.7))
    assert open_page.parameter() == "w(2)[0,42]"
    open_page.context.close()


def test_unticking_the_bias_returns_to_the_weight(open_page: OpenPage) -> None:
    open_page.find("#bias").check()
    assert open_page.parameter() == "b(3)[4]"
    open_page.find("#bias").uncheck()
    assert open_page.parameter() == "w(3)[4,7]"


def test_a_drawings_y_is_its_reading_until_set(open_page: OpenPage) -> None:
    """A fresh drawing does not keep the y of the old one."""
    for start in (lambda: None, open_page.find("#clear").click):
        start()
        draw_a_seven(open_page)
        answer = open_page.text("#answer")
        assert open_page.find(".desired input:checked").get_attribute("value") == answer
        assert "If you drew another digit" in open_page.text(".verdict")
        other = (int(answer) + 1) % 10
        open_page.find(".desired input").nth(other).check()
        assert open_page.text(".verdict").endswith(f"for the desired digit {other}.")
    open_page.find(".sheet").click(position={"x": 100, "y": 100})  # goes on with the same drawing
    assert open_page.find(".desired input:checked").get_attribute("value") == str(other)


def test_a_cleared_sheet_is_not_read(open_page: OpenPage) -> None:
    draw_a_seven(open_page)
    open_page.find("#clear").click()
    assert open_page.text(".verdict").startswith("Draw a digit, or pick an image.")
    assert open_page.find("#answer, #cost, .desired input:checked").count() == 0
    assert not open_page.find(".rule").is_visible()
    assert not open_page.find("#average").is_visible()
    draw_a_seven(open_page)
    assert open_page.find(".rule").is_visible()


def test_an_emptied_field_keeps_its_number_and_says_so(chain_page: OpenPage) -> None:
    for field, kept in (("a(0)[0]", "0.6"), ("y[0]", "1"), ("layer l", "3")):
        before = chain_page.numbers(".rule")
        enter(chain_page, field, "")
        assert chain_page.text(".needs:not(:empty)") == f"needs a number: still {kept}"
        assert chain_page.find(f"input[aria-label='{field}']").input_value() == kept
        assert chain_page.numbers(".rule") == before
        enter(chain_page, field, "2")
        assert chain_page.find(".needs:not(:empty)").count() == 0


def test_a_gradient_of_rounding_size_is_pale(chain_page: OpenPage) -> None:
    read = "one => Array.from(one.getContext('2d').getImageData(4, 4, 1, 1).data.slice(0, 3))"
    gradient = chain_page.find(".heat").nth(1)
    assert max(gradient.evaluate(read)) - min(gradient.evaluate(read)) > 100
    (answer,) = chain_page.activations((1, 1, 1, 1))[3]
    enter(chain_page, "y[0]", repr(answer + 1.5e-15))
    assert 0 < abs(chain_page.numbers(".rule")[0]) < 3e-15
    assert gradient.evaluate(read) == [255, 255, 255]
    assert "Pale" in chain_page.text("#heat figcaption >> nth=1")


def test_six_layers_are_all_in_sight(nn: Command, small: Path, browser: "Browser") -> None:
    small.write_text(small.read_text().replace("[784, 12, 10]", "[784, 30, 30, 30, 30, 10]"))
    open_page = OpenPage(browser, write_page(nn, small, "--init")[0])
    inside = """() => {
        const stage = document.querySelector(".stage").getBoundingClientRect();
        const parts = [...document.querySelectorAll(".column-title, .input-picture, .neuron")];
        const boxes = parts.map((one) => one.getBoundingClientRect());
        return boxes.every((box) => box.left >= stage.left - 1 && box.right <= stage.right + 1);
    }"""
    for width in (360, 900, 1366, 1920):
        open_page.page.set_viewport_size({"width": width, "height": 768})
        open_page.wait_until(inside)
    open_page.context.close()


def test_the_prime_of_sigma_is_large(open_page: OpenPage) -> None:
    size = "one => parseFloat(getComputedStyle(one).fontSize)"
    prime = open_page.find(".slope .prime")
    assert prime.text_content() == "′"
    assert prime.evaluate(size) >= prime.locator("xpath=preceding-sibling::*").evaluate(size)


def test_a_step_never_leads_from_a_number_to_itself(chain_page: OpenPage) -> None:
    (answer,) = chain_page.activations((1, 1, 1, 1))[3]
    enter(chain_page, "y[0]", repr(answer + 1e-10))
    step = re.search(r"from (\S+) to (\S+)\.$", chain_page.text("#average"))
    assert step
    assert step[1] != step[2]
    enter(chain_page, "y[0]", repr(answer))
    assert "so it stays" in chain_page.text("#average")


def test_every_symbol_is_typeset(open_page: OpenPage) -> None:
    outside_of_formulas = """() => {
        const texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
        let shown = "";
        while (texts.nextNode()) {
            if (!texts.currentNode.parentNode.closest("math, noscript")) shown += texts.currentNode.data + "|";
        }
        return shown;
    }"""
    open_page.choose(2, 5, 3)
    for step in (lambda: None, open_page.find("#guessing").check, open_page.find("#guess-rises").click):
        step()
        shown = open_page.page.evaluate(outside_of_formulas)
        assert "from neuron 3 of layer 1" in shown
        assert not re.search(r"\)\[|\b[azwby]\[|C_|∂", shown)


def test_numbers_have_three_digits_and_all_on_demand(open_page: OpenPage) -> None:
    rule = open_page.find(".rule .number")

    def read() -> list[float]:
        return [float(text.replace("−", "-")) for text in rule.all_inner_texts()]

    values = open_page.numbers(".rule")
    assert read() == [float(f"{value:.2e}") for value in values]
    open_page.find("#all-digits").press("Space")
    assert read() == values
    assert open_page.find("#neuron-3-4 tspan").last.text_content() == str(open_page.activations(SIZES)[3][4])
    open_page.page.set_viewport_size({"width": 360, "height": 740})
    open_page.wait_until("document.documentElement.scrollWidth <= 360")  # once it is laid out anew
    open_page.find("#all-digits").press("Space")
    assert read() == [float(f"{value:.2e}") for value in values]


# Accessibility


def test_everything_is_reachable_by_keyboard(open_page: OpenPage) -> None:
    keyboard = open_page.page.keyboard
    reached: list[str] = []
    for _ in range(120):
        keyboard.press("Tab")
        name = open_page.page.evaluate(
            "(() => { const e = document.activeElement; return e.id || e.getAttribute('class') || e.getAttribute('aria-label') || e.tagName })()"
        )
        if name in reached:
            continue
        reached.append(name)
        if name == "gallery":
            keyboard.press("ArrowRight")
            assert open_page.maths(".verdict")[-1] == "C10"
        if name == "the neurons of layer 2":
            keyboard.press("Home")
            assert open_page.parameter().startswith("w(2)[0,")
        if name == "place-k":
            keyboard.press("Control+a")
            keyboard.type("11")
            keyboard.press("Enter")
            assert open_page.parameter() == "w(2)[0,11]"
        if name == "nudge":
            keyboard.press("ArrowRight")
            assert "+0.01" in open_page.text(".slide")
        if name == "all-digits":
            keyboard.press("Space")
    for stop in (
        "all-digits",
        "clear",
        "gallery",
        "place-l",
        "place-j",
        "place-k",
        "bias",
        "strongest",
        "guessing",
        "nudge",
        "averaged",
    ):
        assert stop in reached, stop
    assert any("path" in stop for stop in reached)
    assert any(stop == "bin" for stop in reached)
    assert any("heat" in stop for stop in reached)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_axe_finds_no_serious_violation_at_any_width(
    width: int, scheme: str, nn: Command, run: Path, browser: "Browser"
) -> None:
    """Nothing is wider than the screen."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe: pip install -e '.[browser]'")
    file, _ = write_page(nn, run)
    open_page = OpenPage(browser, file, viewport={"width": width, "height": 800}, color_scheme=scheme)
    for state in ("as it opens", "guessing", "guessed"):
        if state == "guessing":
            open_page.find("#guessing").check()
        if state == "guessed":
            open_page.find("#guess-rises").click()
        violations = axe.Axe().run(open_page.page).response["violations"]
        serious = [v["id"] + ": " + v["nodes"][0]["html"] for v in violations if v["impact"] in ("serious", "critical")]
        assert serious == [], state
        assert open_page.page.evaluate("document.documentElement.scrollWidth") <= width
    open_page.context.close()


def test_axe_finds_no_serious_violation_on_the_chains_page(chain_page: OpenPage) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe: pip install -e '.[browser]'")
    violations = axe.Axe().run(chain_page.page).response["violations"]
    assert [v["id"] for v in violations if v["impact"] in ("serious", "critical")] == []


def test_printing_hides_the_controls_and_keeps_the_numbers(open_page: OpenPage) -> None:
    open_page.page.emulate_media(media="print")
    assert not open_page.find("#clear").is_visible()
    assert not open_page.find("#guessing").is_visible()
    assert open_page.find(".rule").is_visible()
    assert open_page.find(".histogram").is_visible()


def test_without_javascript_the_page_shows_the_commands_text(nn: Command, run: Path, browser: "Browser") -> None:
    file, _ = write_page(nn, run, "--weight", "3,4,7")
    printed = nn("inspect-gradients", run, "--weight", "3,4,7").out
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert page.locator("noscript pre").inner_text().strip() == printed.strip()
    context.close()


# Security

HOSTILE = "</script><script>window.hacked = 1</script><img src=x onerror=hacked=1>{{data}}'\"&amp;"


def test_a_hostile_name_is_shown_but_runs_nothing(nn: Command, small: Path, browser: "Browser") -> None:
    name = HOSTILE.replace("/", "∕")
    assert nn("train", small, "--run-dir", name, "--quiet").code == 0
    file, _ = write_page(nn, name)
    open_page = OpenPage(browser, file)
    assert open_page.text(".subject").startswith(name)
    assert open_page.page.title().startswith(name)
    assert open_page.page.evaluate("window.hacked") is None
    assert open_page.page.evaluate("document.images.length + document.scripts.length") == 2
    assert open_page.requests == [file.as_uri()]
    assert open_page.complaints == []
    open_page.context.close()


def test_embedded_strings_cannot_break_out_of_the_data(nn: Command, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded = embedded_json({"name": HOSTILE + "\u2028<!--"})
    assert not set("<>&\u2028") & set(embedded)
    assert json.loads(embedded) == {"name": HOSTILE + "\u2028<!--"}


def test_the_policy_blocks_foreign_scripts_and_requests(nn: Command, run: Path, browser: "Browser") -> None:
    file, _ = write_page(nn, run)
    open_page = OpenPage(browser, file)
    open_page.page.evaluate(
        "() => { const s = document.createElement('img'); s.src = 'https://example.com/x.png'; document.body.append(s) }"
    )
    blocked = open_page.page.evaluate(
        "() => { try { document.body.innerHTML = '<b>x</b>'; return false } catch { return true } }"
    )
    fetched = open_page.page.evaluate("() => fetch('https://example.com').then(() => true, () => false)")
    assert blocked
    assert not fetched
    assert len(open_page.complaints) >= 2
    open_page.context.close()


def test_the_chains_page_has_number_inputs_instead_of_images(nn: Command, browser: "Browser") -> None:
    file, document = write_page(nn, "chain", "--init")
    open_page = OpenPage(browser, file)
    assert open_page.find(".sheet").count() == 0
    open_page.find("input[aria-label='a(0)[0]']").fill("0.9")
    open_page.find("input[aria-label='a(0)[0]']").press("Enter")
    network = initial_state(read_config("chain")).network
    passed = forward(network, np.array([[0.9]]))
    gradient = backprop(network, COSTS["squared_error"], passed, np.array([[1.0]])).gradient
    weight = document["weight"]
    assert open_page.numbers(".rule")[0] == pytest.approx(gradient.dC_dw[weight["layer"]][0, 0], rel=1e-12)
    open_page.context.close()


def test_the_chains_page_shows_its_whole_gradient_by_factors(nn: Command, browser: "Browser") -> None:
    file, document = write_page(nn, "chain", "--init")
    open_page = OpenPage(browser, file)
    fields = open_page.fields()
    for n, entry in enumerate(document["gradient"]):
        assert fields[f"gradient.{n}.product"] == pytest.approx(entry["product"], rel=1e-12)
        for i, factor in enumerate(entry["factors"]):
            assert fields[f"gradient.{n}.factors.{i}.value"] == pytest.approx(factor["value"], rel=1e-12)
    assert sum(field.startswith("gradient.") for field in fields) == 6 + 7 + 7 + 5 + 5 + 3 + 3
    open_page.find(".entry").nth(1).press("Enter")
    assert open_page.parameter() == "b(1)[0]"
    assert open_page.page.evaluate("document.activeElement.dataset.key") == "entry-1"
    open_page.find("#guessing").check()
    assert not open_page.find(".entry").first.is_visible()
    open_page.context.close()


def test_a_larger_networks_page_hides_the_gradient_section(open_page: OpenPage) -> None:
    assert not open_page.find("#gradient-title").is_visible()
