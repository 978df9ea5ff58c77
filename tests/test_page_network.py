"""The page's drawing of the network, forward with the activations and backward with ∂C/∂a, in a real browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from browsing import SIZES, OpenPage, write_page
from conftest import Command
from test_page import inspection_of

from mnist_nn import COSTS, initial_state, read_config
from mnist_nn.examples.dataset import Examples
from mnist_nn.explaining.inspection import Inspection
from mnist_nn.explaining.parameter import Parameter

if TYPE_CHECKING:
    from playwright.sync_api import Browser

L = len(SIZES) - 1


@pytest.fixture
def still_page(page_file: Path, browser: "Browser") -> Iterator[OpenPage]:
    """The page that `open_page` opens, for a user who prefers reduced motion."""
    page = OpenPage(browser, page_file, reduced_motion="reduce")
    yield page
    page.context.close()
    assert page.complaints == []


@pytest.fixture
def inspection(run: Path, digits: Path) -> Inspection:
    return inspection_of(run, digits, list(range(40)))


def turn_back(page: OpenPage) -> None:
    page.find("#show-backward").check()
    page.page.wait_for_selector(".pulsing", state="detached")


def sizes_of(page: OpenPage, l: int) -> list[float]:
    """How large each neuron's triangle is drawn, relative to the largest of its layer."""
    read = """(all) => all.map((one) => {
        const { a, d } = one.querySelector(".sensitivity").transform.baseVal.consolidate().matrix;
        return Math.sign(d) * a;
    })"""
    sizes = np.array(page.page.eval_on_selector_all(f"[id^=neuron-{l}-]", read))
    return list(sizes / np.abs(sizes).max())


def route_of(page: OpenPage) -> list[str]:
    return page.page.eval_on_selector_all(".lit", "all => all.map(one => one.dataset.neuron)")


def addends(page: OpenPage) -> list[float]:
    return page.numbers(".neuron-sum .addend")


def test_backward_every_neuron_shows_its_dC_da(still_page: OpenPage, inspection: Inspection) -> None:
    turn_back(still_page)
    for l, shown in still_page.activations(SIZES).items():
        assert shown == pytest.approx(inspection.dC_da(l)[:, 9], rel=1e-11), l


def test_triangles_are_sized_and_point_by_dC_da(still_page: OpenPage, inspection: Inspection) -> None:
    """The area is |∂C/∂a| relative to the largest of the layer. A triangle that points down has ∂C/∂a > 0."""
    turn_back(still_page)
    for l in range(1, L + 1):
        dC_da = inspection.dC_da(l)[:, 9]
        expected = np.sign(dC_da) * np.sqrt(np.abs(dC_da) / np.abs(dC_da).max())
        assert sizes_of(still_page, l) == pytest.approx(expected, abs=2e-3)
        for j in (int(dC_da.argmax()), int(dC_da.argmin())):
            neuron = still_page.find(f"#neuron-{l}-{j}")
            should = "fall" if dC_da[j] > 0 else "rise"
            assert (neuron.get_attribute("aria-label") or "").endswith(f"should {should}")


def test_output_labels_show_dC_da_only_backward(still_page: OpenPage, inspection: Inspection) -> None:
    def labels() -> list[float]:
        texts = still_page.find("[id^=neuron-3-] .amount").all_text_contents()
        return [float(text.replace("−", "-")) for text in texts]

    assert labels() == pytest.approx(inspection.passed.a[L][:, 9], rel=6e-3)
    turn_back(still_page)
    assert labels() == pytest.approx(inspection.dC_da(L)[:, 9], rel=6e-3)
    still_page.find("#show-forward").check()
    assert labels() == pytest.approx(inspection.passed.a[L][:, 9], rel=6e-3)


def test_the_number_of_drawn_paths_is_right(still_page: OpenPage, inspection: Inspection) -> None:
    turn_back(still_page)
    drawn = 0
    for l in range(1, L):
        carried = np.abs(inspection.network.w[l + 1] * inspection.back.dC_dz[l + 1][:, 9:10])
        drawn += int((carried >= 0.02 * carried.max()).sum())
    assert f"{drawn} of {12 * 8 + 8 * 10} paths drawn" in still_page.text(".legends")


def test_the_route_takes_the_strongest_paths(still_page: OpenPage, inspection: Inspection) -> None:
    """It is the route of `nn inspect-gradients`."""
    turn_back(still_page)
    still_page.choose(1, 5, 400)
    paths = list(inspection.route(Parameter(1, 5, 400), 9))[: L - 1]
    through = [f"{step.layer + 1},{step.through}" for step in reversed(paths)]
    assert route_of(still_page) == [*through, "1,5"]
    assert still_page.find(".wire.chosen").get_attribute("data-place") == "1,5,400"


def test_the_route_follows_the_users_walk(still_page: OpenPage) -> None:
    turn_back(still_page)
    weakest = still_page.find(".path").last.get_attribute("data-j")
    still_page.find(".path").last.click()
    assert route_of(still_page)[0] == f"3,{weakest}"


def test_a_clicked_neuron_unfolds_its_weighted_sum(still_page: OpenPage, inspection: Inspection) -> None:
    still_page.find("#neuron-2-5").click()
    z, a = inspection.passed.z[2][5, 9], inspection.passed.a[2][5, 9]
    terms = inspection.network.w[2][5] * inspection.passed.a[1][:, 9]
    shown = addends(still_page)
    assert shown[:3] == pytest.approx(sorted(terms, key=abs, reverse=True)[:3], rel=1e-11)
    assert shown[-1] == pytest.approx(float(inspection.network.b[2].ravel()[5]), rel=1e-12)
    assert sum(shown) == pytest.approx(z, rel=1e-9)
    assert "the other 9" in still_page.text(".neuron-sum")
    assert still_page.numbers(".neuron-sum")[-2:] == pytest.approx([z, a], rel=1e-11)


def test_a_clicked_neuron_unfolds_its_sum_over_paths(still_page: OpenPage, inspection: Inspection) -> None:
    turn_back(still_page)
    still_page.find("#neuron-2-5").click()
    paths = inspection.paths(2, 5, 9)
    shown = addends(still_page)
    strongest = sorted((path.product for path in paths.terms), key=abs, reverse=True)[:3]
    assert shown[:3] == pytest.approx(strongest, rel=1e-11)
    assert sum(shown) == pytest.approx(paths.sum, rel=1e-9)
    assert still_page.numbers(".neuron-sum")[-1] == pytest.approx(paths.sum, rel=1e-9)


def test_an_output_neuron_unfolds_its_cost_derivative(still_page: OpenPage, inspection: Inspection) -> None:
    turn_back(still_page)
    still_page.find("#neuron-3-6").click()
    read = "all => all.map(one => Number(one.dataset.value))"
    a, y = still_page.page.eval_on_selector_all(".neuron-sum mn[data-value]", read)
    assert a == pytest.approx(inspection.passed.a[L][6, 9], rel=1e-12)
    assert y == inspection.y[6, 9]
    assert still_page.numbers(".neuron-sum") == pytest.approx([2 * (a - y)], rel=1e-12)


def test_a_connection_shows_its_term_and_its_share(still_page: OpenPage, inspection: Inspection) -> None:
    w, a = inspection.network.w[3][4, 2], inspection.passed.a[2][2, 9]
    still_page.page.mouse.move(*still_page.on_wire(2, 0.5))
    assert still_page.maths(".pointed") == ["w4,2(3)"]
    assert still_page.numbers(".part") == pytest.approx([w, a, w * a], rel=1e-12)
    still_page.page.mouse.click(*still_page.on_wire(2, 0.5))
    turn_back(still_page)
    path = inspection.paths(2, 2, 9).terms[4]
    share = abs(path.product) / sum(abs(term.product) for term in inspection.paths(2, 2, 9).terms)
    expected = [w, path.da_dz, path.dC_da, path.product, share]
    assert still_page.numbers(".part") == pytest.approx(expected, rel=1e-11)


def test_backward_the_nearest_path_is_chosen_by_a_click(still_page: OpenPage, inspection: Inspection) -> None:
    """Here it is the strongest path from layer 3 to layer 2. It is highlighted first."""
    turn_back(still_page)
    carried = np.abs(inspection.network.w[3] * inspection.back.dC_dz[3][:, 9:10])
    j, k = divmod(int(carried.argmax()), carried.shape[1])
    find = """([from, to]) => {
        document.querySelector(".stage").scrollIntoView({ block: "center" });
        const [p, q] = [from, to].map((id) => {
            const box = document.querySelector(`#${id} .edge`).getBoundingClientRect();
            return [box.left + box.width / 2, box.top + box.height / 2];
        });
        return [0, 1].map((i) => p[i] + 0.35 * (q[i] - p[i]));
    }"""
    where = still_page.page.evaluate(find, [f"neuron-2-{k}", f"neuron-3-{j}"])
    still_page.page.mouse.move(*where)
    near = still_page.find(".wire.near").get_attribute("data-place")
    assert still_page.find(".pointing").count() == 1
    still_page.page.mouse.click(*where)
    assert near
    l, to, start = near.split(",")
    assert still_page.parameter() == f"w({l})[{to},{start}]"


def test_the_pulse_reaches_the_last_layer_first(open_page: OpenPage) -> None:
    open_page.page.evaluate(
        """() => {
        window.seen = [];
        const look = () => {
            const waiting = [...document.querySelectorAll(".column.waiting")].map((one) => one.dataset.layer).join();
            if (window.seen.at(-1) !== waiting) window.seen.push(waiting);
            if (waiting || window.seen.length < 2) requestAnimationFrame(look);
        };
        requestAnimationFrame(look);
    }"""
    )
    turn_back(open_page)
    seen = open_page.page.evaluate("window.seen")
    while seen[0] == "":
        seen.pop(0)
    assert seen == ["1,2,3", "1,2", "1", ""][-len(seen) :]
    assert len(seen) >= 3


def test_the_pulse_stops_and_plays_again(open_page: OpenPage) -> None:
    turn_back(open_page)
    frames = """async () => {
        const original = window.requestAnimationFrame;
        let n = 0;
        window.requestAnimationFrame = (callback) => (n++, original(callback));
        await new Promise((done) => setTimeout(done, 300));
        window.requestAnimationFrame = original;
        return n;
    }"""
    assert open_page.page.evaluate(frames) == 0
    for again in ("#pulse-again", "#example-3"):
        open_page.find(again).click()
        open_page.page.wait_for_selector(".pulsing")
        open_page.page.wait_for_selector(".pulsing", state="detached")


def test_with_reduced_motion_nothing_moves(still_page: OpenPage) -> None:
    still_page.find("#show-backward").check()
    for _ in range(3):
        assert still_page.find(".pulsing, .waiting").count() == 0
        still_page.page.wait_for_timeout(50)
    assert not still_page.find("#pulse-again").is_visible()


def test_the_switch_and_the_neurons_work_by_keyboard(still_page: OpenPage, inspection: Inspection) -> None:
    still_page.find("#show-forward").press("ArrowRight")
    assert still_page.find("#show-backward").is_checked()
    still_page.find("[aria-label='the neurons of layer 2']").press("End")
    assert still_page.parameter().startswith("w(2)[7,")
    assert still_page.numbers(".neuron-sum")[-1] == pytest.approx(inspection.dC_da(2)[7, 9], rel=1e-9)


def test_a_derivative_to_guess_is_not_drawn(still_page: OpenPage) -> None:
    turn_back(still_page)
    still_page.find("#guessing").check()
    assert still_page.find("#show-backward").is_disabled()
    assert still_page.find(".backward").count() == 0
    still_page.find("#guess-rises").click()
    assert still_page.find("svg.backward").count() == 1


def test_switching_moves_nothing_below_the_drawing(still_page: OpenPage) -> None:
    where = "document.querySelector('.place').getBoundingClientRect().top + scrollY"
    for width in (360, 768, 1366):
        still_page.page.set_viewport_size({"width": width, "height": 800})
        still_page.find("#show-forward").check()
        still_page.page.wait_for_timeout(200)
        before = still_page.page.evaluate(where)
        turn_back(still_page)
        assert still_page.page.evaluate(where) == before, width
        assert still_page.page.evaluate("document.documentElement.scrollWidth") <= width


def test_paper_has_no_switch_and_no_fields(still_page: OpenPage) -> None:
    turn_back(still_page)
    still_page.page.emulate_media(media="print")
    for selector in (".switch", "#pulse-again", ".place"):
        assert not still_page.find(selector).is_visible(), selector
    assert still_page.find(".neuron-sum").is_visible()


def test_the_chains_drawing_unfolds_its_only_path(nn: Command, browser: "Browser") -> None:
    page = OpenPage(browser, write_page(nn, "chain", "--init")[0], reduced_motion="reduce")
    turn_back(page)
    page.find("#neuron-1-0").click()
    network = initial_state(read_config("chain")).network
    examples = Examples(np.array([[0.6]]), np.array([[1.0]]))
    inspection = Inspection(network, COSTS["squared_error"], examples, [0])
    assert page.numbers(".neuron-sum") == pytest.approx([inspection.dC_da(1)[0, 0]] * 2, rel=1e-12)
    assert route_of(page) == ["3,0", "2,0", "1,0"]
    assert page.complaints == []
    page.context.close()


def test_a_layer_of_many_neurons_is_chosen_on_its_canvas(nn: Command, small: Path, browser: "Browser") -> None:
    small.write_text(small.read_text().replace("[784, 12, 10]", "[784, 500, 10]"))
    page = OpenPage(browser, write_page(nn, small, "--init")[0], reduced_motion="reduce")
    turn_back(page)
    grid = page.find(".grid")
    grid.press("Home")
    grid.press("ArrowDown")
    assert page.parameter().startswith("w(1)[1,")
    assert (grid.get_attribute("aria-valuetext") or "").startswith("neuron 1 of layer 1: ∂C/∂a = ")
    grid.click(position={"x": 2, "y": 2})
    assert page.parameter().startswith("w(1)[0,")
    assert "400 of 5,000 paths drawn" in page.text(".legends")
    assert page.complaints == []
    page.context.close()


def test_after_a_step_the_outputs_show_how_they_moved(still_page: OpenPage) -> None:
    def outputs() -> list[float]:
        return still_page.activations(SIZES)[L]

    before = outputs()
    assert still_page.find("[id^=neuron-3-] .moved").all_text_contents() == [""] * 10
    still_page.find("#step").click()
    still_page.page.wait_for_selector("#neuron-3-4 .moved:not(:empty)")
    change = np.array(outputs()) - before
    expected = ["▲" if moved > 0.0005 else "▼" if moved < -0.0005 else "" for moved in change]
    assert still_page.find("[id^=neuron-3-] .moved").all_text_contents() == expected
