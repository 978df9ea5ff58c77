"""The page's gradient descent: its steps are Python's, can be taken back, and are drawn as they go."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from browsing import SIZES, OpenPage, page_once, write_page
from conftest import Command

from data_scripts.idx import read_split
from mnist_nn import COSTS, SGD, Network, backprop, forward, initial_state, load_checkpoint, read_config
from mnist_nn.chapter.activation import ACTIVATIONS, Array
from mnist_nn.page.file import inlined, module

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ENGINE = ["network", "example", "descent", "motion"]  # the modules that move the network


def engine() -> str:
    """The code of the modules that move the network, as one module."""
    code = [inlined(module(name)) for name in ENGINE]
    return "\n".join([*code, "export { Network, Example, Motion };"])


def descend(network: Network, x: Array, y: Array, cost: str, rate: float, steps: int) -> list[float]:
    """Take the steps in Python. Returns the average cost before each, and after the last."""
    costs = []
    for step in range(steps + 1):
        passed = forward(network, x)
        costs.append(float(COSTS[cost].per_example(passed.z[network.L], passed.a[network.L], y).mean()))
        if step < steps:
            gradient = backprop(network, COSTS[cost], passed, y, scale=rate).gradient
            SGD().step(network, gradient, np.zeros(0), rate)
    return costs


def test_steps_move_all_parameters_as_in_python(browser: "Browser", random: np.random.Generator) -> None:
    """This holds for 1 and for 100 steps, and for every combination of activations and cost."""
    cases = [
        (hidden, output, cost)
        for hidden in ACTIVATIONS
        for output in ACTIVATIONS
        for cost in COSTS
        if COSTS[cost].output in (None, output)
    ]
    start = random.normal(0, 0.4, Network([4, 3, 3, 2]).parameters.size)
    x, y = random.normal(0, 1, (4, 6)), random.random((2, 6))
    x[0, :3] = 0  # the page leaves out inputs that are 0
    run = """async ([code, cases, parameters, xs, ys, rate]) => {
        const page = await import("data:text/javascript," + encodeURIComponent(code));
        return cases.map(([hidden, output, cost]) => {
            const network = new page.Network([4, 3, 3, 2], hidden, output, cost, Float64Array.from(parameters));
            const examples = xs.map((x, n) => new page.Example(network,
                { n, index: n, pixels: null, x: Float64Array.from(x), y: Float64Array.from(ys[n]) }));
            const moments = [{ key: "trained", step: null, parameters: () => Float64Array.from(parameters) }];
            const motion = new page.Motion({ network, examples, heldOut: [], learningRate: rate, moments });
            const states = [];
            for (let step = 1; step <= 100; step++) {
                for (const _ of motion.step(examples, step > 1)) void _;
                if (step === 1 || step === 100) states.push(Array.from(network.parameters));
            }
            const { C, after, n } = motion.change;
            while (motion.kept.length) motion.back();
            return { states, C, after, n, home: Array.from(network.parameters) };
        });
    }"""
    tab = browser.new_page()
    answers = tab.evaluate(run, [engine(), cases, start.tolist(), x.T.tolist(), y.T.tolist(), 0.05])
    tab.close()
    for (hidden, output, cost), answer in zip(cases, answers, strict=True):
        network = Network([4, 3, 3, 2], activation=hidden, output=output, dtype=np.float64)
        network.parameters[:] = start
        costs = descend(network, x, y, cost, 0.05, 1)
        np.testing.assert_allclose(answer["states"][0], network.parameters, rtol=1e-12, atol=1e-12)
        costs += descend(network, x, y, cost, 0.05, 99)[1:]
        np.testing.assert_allclose(
            answer["states"][1], network.parameters, rtol=1e-12, atol=1e-12, err_msg=f"{hidden} {output} {cost}"
        )
        assert (answer["C"], answer["after"]) == pytest.approx((costs[0], costs[-1]), rel=1e-12)
        assert answer["n"] == 100
        assert answer["home"] == start.tolist()


def test_what_is_kept_for_the_way_back_stays_bounded(browser: "Browser") -> None:
    """Of 500 steps the last 200 are kept, and they hold on to no earlier ones."""
    run = """async (code) => {
        const page = await import("data:text/javascript," + encodeURIComponent(code));
        const parameters = () => Float64Array.from([0.5, 0.1]);
        const network = new page.Network([1, 1], "sigmoid", "sigmoid", "squared_error", parameters());
        const values = { n: 0, index: 0, pixels: null, x: Float64Array.from([1]), y: Float64Array.from([0]) };
        const examples = [new page.Example(network, values)];
        const moments = [{ key: "trained", step: null, parameters }];
        const motion = new page.Motion({ network, examples, heldOut: [], learningRate: 0.1, moments });
        for (let step = 0; step < 500; step++) for (const _ of motion.step(examples)) void _;
        let reached = 0;
        for (let at = motion.since; at; at = at.since) reached += 1;
        return [motion.kept.length, reached];
    }"""
    tab = browser.new_page()
    kept, reached = tab.evaluate(run, engine())
    tab.close()
    assert kept == 200
    assert reached <= kept + 1


@pytest.fixture(scope="session")
def replayable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the run with snapshots is that these tests read."""
    return tmp_path_factory.mktemp("runs") / "replayed"


@pytest.fixture
def snapshots_page(nn: Command, small: Path, replayable: Path, browser: "Browser") -> Iterator[OpenPage]:
    """The page of a 784-12-10 network with 6 snapshots of its training."""
    if not replayable.exists():
        assert nn("train", small, "--set", "training.snapshots=6", "--run-dir", replayable, "--quiet").code == 0
    chosen = ("--weight", "2,4,7", "--example", "9", "--batch", "40")
    page = OpenPage(browser, page_once(nn, replayable.parent / "page.html", replayable, *chosen))
    yield page
    page.context.close()
    assert page.complaints == []


def batch_of(digits: Path, n: int) -> tuple[Array, Array]:
    """The first n examples of the validation split, as columns."""
    images, labels = (part[-50:][:n] for part in read_split(digits, "train"))
    return images.reshape(n, -1).T * (1 / 255), np.eye(10)[labels].T


def settled(open_page: OpenPage, steps: int) -> None:
    """Wait until the page has taken this many steps."""
    name = "1 step" if steps == 1 else f"{steps} steps"
    open_page.find("#transport .where", has_text=f"+ {name}").wait_for()


def test_a_step_on_the_page_is_a_step_in_python(open_page: OpenPage, run: Path, digits: Path) -> None:
    x, y = batch_of(digits, 40)
    network = load_checkpoint(run / "checkpoints/best.safetensors").network.astype(np.float64)
    rate = 0.7
    open_page.find("#rate").fill(str(rate))
    open_page.find("input[name=over][value=batch]").check()
    before, after = descend(network, x, y, "squared_error", rate, 1)
    open_page.find("#step").click()
    settled(open_page, 1)
    passed = forward(network, x)
    for l, a in open_page.activations(SIZES).items():
        np.testing.assert_allclose(a, passed.a[l][:, 9], rtol=1e-12, atol=1e-15)
    said = open_page.text("#downhill .effect >> nth=0").replace("−", "-")
    fell = re.search(r"fell from ([\d.e-]+) to ([\d.e-]+), by ([\d.e-]+)\.", said)
    assert fell
    assert [float(text) for text in fell.groups()] == pytest.approx([before, after, before - after], rel=0.01)
    gradient = (load_checkpoint(run / "checkpoints/best.safetensors").network.parameters - network.parameters) / rate
    predicted = float(re.findall(r"= (-[\d.e-]+)", said)[-1].rstrip("."))
    assert predicted == pytest.approx(-rate * float(np.square(gradient.astype(np.float64)).sum()), rel=0.01)


def test_ten_steps_back_and_reset(open_page: OpenPage) -> None:
    """Going back gives the same bits."""
    start = open_page.activations(SIZES)
    open_page.find("#step").click()
    settled(open_page, 1)
    one = open_page.activations(SIZES)
    open_page.find("#ten").click()
    settled(open_page, 11)
    assert open_page.activations(SIZES) != one
    for _ in range(10):
        open_page.find("#back").click()
    settled(open_page, 1)
    assert open_page.activations(SIZES) == one
    open_page.find("#reset").click()
    assert open_page.activations(SIZES) == start
    assert open_page.find("#back").is_disabled()


def test_playing_goes_on_until_it_is_paused(open_page: OpenPage) -> None:
    """By keyboard."""
    play = open_page.find("#play")
    play.press("Enter")
    assert play.inner_text().endswith("pause")
    open_page.find("#transport .where", has_text=re.compile(r"\+ ([5-9]|\d\d+) steps")).wait_for()
    play.press("Enter")
    paused = open_page.text("#transport .where")
    open_page.page.wait_for_timeout(300)
    assert open_page.text("#transport .where") == paused
    assert play.inner_text().endswith("play")


@pytest.mark.parametrize("moment", ["fresh", "zeros"])
def test_descent_begins_from_another_network(moment: str, open_page: OpenPage, run: Path, digits: Path) -> None:
    x, _ = batch_of(digits, 40)
    open_page.find("#moment").select_option(moment)
    config = load_checkpoint(run / "checkpoints/best.safetensors").config
    network = initial_state(config).network.astype(np.float64)
    if moment == "zeros":
        network.parameters[:] = 0
    passed = forward(network, x)
    for l, a in open_page.activations(SIZES).items():
        np.testing.assert_allclose(a, passed.a[l][:, 9], rtol=1e-12, atol=1e-15)
    said = open_page.text("#diagnosis")
    assert ("have the same weights" in said) == (moment == "zeros")


def test_replayed_snapshots_are_the_checkpoints(snapshots_page: OpenPage, replayable: Path, digits: Path) -> None:
    """They are rounded to 16 bits, with one scale for each tensor."""
    networks = [load_checkpoint(file).network for file in sorted((replayable / "snapshots").iterdir())]
    x, _ = batch_of(digits, 40)
    tensors = [[array for l in n.layers for array in (n.w[l], n.b[l])] for n in networks]
    scales = [max(float(np.abs(of[i]).max()) for of in tensors) / 32767 or 1.0 for i in range(len(tensors[0]))]
    assert len(networks) == 6
    for i, network in enumerate(networks):
        snapshots_page.find("#time").fill(str(i))
        rounded = network.astype(np.float64)
        for tensor, scale in zip(
            (a for l in rounded.layers for a in (rounded.w[l], rounded.b[l])), scales, strict=True
        ):
            exact = tensor.copy()
            tensor[:] = np.rint(tensor / scale) * scale
            assert np.abs(tensor - exact).max() <= scale / 2 * (1 + 1e-9)
        passed = forward(rounded, x)
        for l, a in snapshots_page.activations((784, 12, 10)).items():
            np.testing.assert_allclose(a, passed.a[l][:, 9], rtol=1e-12, atol=1e-15)


def test_the_time_line_plays_to_the_end(snapshots_page: OpenPage) -> None:
    snapshots_page.find("#time").fill("0")
    assert "before training" in snapshots_page.text(".moment")
    snapshots_page.find("#replay-play").click()
    last = snapshots_page.find("#time").get_attribute("max")
    snapshots_page.find(f"#section-replay[data-at='{last}']").wait_for()
    assert "replay the training" in snapshots_page.text("#replay-play")


def test_a_drawn_digit_can_be_taught(open_page: OpenPage) -> None:
    from test_page import draw_a_seven

    draw_a_seven(open_page)
    open_page.find(".desired input").nth(2).check()
    before = float(open_page.find("#cost .number").get_attribute("data-value") or "nan")
    open_page.find("#rate").fill("1")
    for n in (10, 20, 30):
        open_page.find("#ten").click()
        settled(open_page, n)
    assert float(open_page.find("#cost .number").get_attribute("data-value") or "nan") < 0.7 * before
    assert "for your own example, fell from" in open_page.text("#downhill")


def test_every_parameter_of_a_tiny_network_can_be_changed(nn: Command, browser: "Browser") -> None:
    file, _ = write_page(nn, "chain", "--init")
    page = OpenPage(browser, file)
    network = initial_state(read_config("chain")).network.astype(np.float64)
    x = np.array([[float(page.find("[aria-label='a(0)[0]']").input_value())]])

    def enter(label: str, value: float) -> None:
        page.find(f".entries [aria-label='{label}']").fill(str(value))
        page.find(f".entries [aria-label='{label}']").press("Enter")

    network.w[1][0, 0] = 0.5
    enter("w(1)[0,0]", 0.5)
    enter("b(3)[0]", -2)
    assert "2 changes by hand" in page.text("#transport .where")
    page.find("#back").click()
    assert page.activations((1, 1, 1, 1))[3] == pytest.approx(forward(network, x).a[3][:, 0].tolist(), rel=1e-12)
    page.context.close()
    assert page.complaints == []


# Links, slides, the tour


def test_a_link_leads_back_to_the_same_view(open_page: OpenPage) -> None:
    open_page.choose(2, 5, 3)
    open_page.find(".gallery").press("Home")
    open_page.find("#moment").select_option("fresh")
    open_page.find("#ten").click()
    settled(open_page, 10)
    numbers = open_page.numbers(".rule")
    open_page.page.wait_for_url("**#*steps=10*")
    link = open_page.page.url
    open_page.page.goto("about:blank")
    open_page.page.goto(link)
    settled(open_page, 10)
    del open_page.requests[1:]
    assert open_page.parameter() == "w(2)[5,3]"
    assert open_page.numbers(".rule") == numbers


@pytest.mark.parametrize("link", ["#weight=9,9,9", "#weight=-1,x&steps=1e9&example=77777&from=nowhere&rate=-1&tour=0"])
def test_a_wrong_link_opens_the_page_as_usual(link: str, open_page: OpenPage) -> None:
    open_page.page.goto("about:blank")
    open_page.page.goto(open_page.requests[0] + link)
    open_page.find("#agreement:not(:empty)").wait_for()
    del open_page.requests[1:]
    assert open_page.parameter() == "w(3)[4,7]"


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (1920, 1080)])
def test_every_slide_fits_the_screen(width: int, height: int, snapshots_page: OpenPage) -> None:
    """The arrow keys turn the slides, and Esc ends them."""
    page = snapshots_page.page
    page.set_viewport_size({"width": width, "height": height})
    snapshots_page.find("#start-slides").click()
    seen = []
    while True:
        page.wait_for_timeout(150)
        seen.append(snapshots_page.text("#present .count"))
        outside = page.evaluate(
            """[...document.querySelectorAll("main > section")].filter((one) => one.offsetParent).flatMap((one) => {
                const box = one.getBoundingClientRect();
                const bar = document.getElementById("present").getBoundingClientRect().top;
                const isInside = box.left >= 0 && box.right <= innerWidth && box.top >= 0 && box.bottom <= bar + 1;
                return isInside ? [] : [one.id];
            })"""
        )
        assert outside == []
        assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
        if len(seen) > 1 and seen[-1] == seen[-2]:
            break
        page.keyboard.press("ArrowRight")
    assert len(set(seen)) == int(seen[0].split(" of ")[1])
    page.keyboard.press("Escape")
    assert snapshots_page.find("header h1").is_visible()


def test_the_tour_notices_what_the_viewer_does(open_page: OpenPage) -> None:
    open_page.find("#start-tour").click()
    stops = int(re.search(r"1 of (\d+)", open_page.text("#tour h2"))[1])  # type: ignore[index]
    actions = {
        "A network": lambda: open_page.find(".gallery").press("Home"),
        "The cost of one example": lambda: open_page.find(".desired input:not(:checked)").first.check(),
        "A tiny nudge": lambda: open_page.find("[aria-label='nudge by 0.01']").click(),
        "The bias": lambda: open_page.find("#bias").check(),
        "The average over the examples": lambda: open_page.find(".bin:not([disabled])").first.click(),
        "Several paths": lambda: open_page.find(".path").first.click(),
        "One step downhill": lambda: open_page.find("#step").click(),
    }
    for stop in range(1, stops + 1):
        number, title = open_page.text("#tour h2").split(" · ")
        assert number == f"{stop} of {stops}"
        if title in actions:
            assert open_page.text("#tour .task").startswith("your turn")
            actions.pop(title)()
            open_page.find("#tour .task", has_text="done").wait_for()
        open_page.find("#tour-next").click()
    assert not actions
    assert open_page.find("#tour").is_hidden()


def test_the_theme_can_be_switched(open_page: OpenPage) -> None:
    back = "getComputedStyle(document.body).backgroundColor"
    light = open_page.page.evaluate(back)
    open_page.find("#theme").select_option("dark")
    assert open_page.page.evaluate(back) != light
    open_page.find("#theme").select_option("light")
    assert open_page.page.evaluate(back) == light


# What is in sight


def test_the_first_screen_shows_digit_network_and_chain(open_page: OpenPage) -> None:
    open_page.page.set_viewport_size({"width": 1366, "height": 768})
    for selector in (".sheet", ".seen", ".outputs", ".stage svg", ".rule", "#chain"):
        box = open_page.find(selector).first.bounding_box()
        assert box
        assert box["y"] >= 0, selector
        assert box["y"] + box["height"] <= 768, selector


def test_a_phone_shows_the_drawing_and_its_effect(nn: Command, run: Path, browser: "Browser") -> None:
    file, _ = write_page(nn, run)
    page = OpenPage(browser, file, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    for selector in (".sheet", ".outputs"):
        box = page.find(selector).bounding_box()
        assert box
        assert box["y"] + box["height"] <= 740
        assert box["x"] + box["width"] <= 360
    page.context.close()


# By touch, with axe, by keyboard

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
EXAMPLE = ("--weight", "2,4,7", "--example", "9", "--batch", "40")


@pytest.fixture
def phone(nn: Command, snapshots_page: OpenPage, replayable: Path, browser: "Browser") -> Iterator[OpenPage]:
    """The same page on a phone."""
    page = OpenPage(browser, page_once(nn, replayable.parent / "page.html", replayable, *EXAMPLE), **PHONE)
    yield page
    page.context.close()
    assert page.complaints == []


def test_touch_chooses_steps_and_replays(phone: OpenPage) -> None:
    phone.find("#neuron-2-6").tap()
    assert phone.parameter().startswith("w(2)[6,")
    phone.page.touchscreen.tap(*phone.on_wire(3, 0.5))
    assert phone.parameter() == "w(2)[6,3]"
    phone.find(".input-picture").tap(position={"x": 1, "y": 1})
    assert "This pixel is empty" in phone.text(".chain > .why")
    unfold = phone.find("[data-key='unfold-z']")
    unfold.tap()
    assert unfold.get_attribute("aria-expanded") == "true"
    phone.find("#show-backward").locator("..").tap()
    assert phone.find("svg.backward").count() == 1
    phone.find("#rate").tap()
    phone.find("#rate").fill("3")
    phone.find("#ten").tap()
    settled(phone, 10)
    assert re.search(r"→ \d", phone.text("#transport"))
    phone.find("#play").tap()
    phone.find("#play").tap()
    phone.find("#reset").tap()
    phone.find("#time").tap(position={"x": 3, "y": 5})
    assert "before training" in phone.text(".moment")
    phone.find("#theme").select_option("dark")
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_touch_turns_slides_and_the_tour(phone: OpenPage) -> None:
    """A slide is as wide as the phone, and scrolls."""
    phone.find("#start-slides").tap()
    for _ in range(len(phone.find("#present option").all()) - 1):
        assert phone.page.evaluate("document.documentElement.scrollWidth") <= 390
        phone.find("#slide-next").tap()
    phone.find("#present select").select_option("replay-weights")
    phone.find("#replay-play").tap()
    phone.find("#replay-play").tap()
    phone.find("#slide-end").tap()
    phone.find("#start-tour").tap()
    phone.find("#tour-next").tap()
    assert phone.text("#tour h2").startswith("2 of")
    phone.find("#tour-end").tap()
    assert phone.find("#tour").is_hidden()


def test_the_buttons_do_not_move_under_the_pointer(snapshots_page: OpenPage) -> None:
    before = snapshots_page.find("#ten").bounding_box()
    snapshots_page.find("#ten").click()
    settled(snapshots_page, 10)
    assert snapshots_page.find("#ten").bounding_box() == before


@pytest.mark.parametrize(
    ("scheme", "start", "title", "turn"),
    [("light", "#start-slides", "#present .count", "#slide-next"), ("dark", "#start-tour", "#tour h2", "#tour-next")],
    ids=["slides", "tour"],
)
def test_axe_finds_nothing_serious_in_slides_and_tour(
    scheme: str, start: str, title: str, turn: str, snapshots_page: OpenPage
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe: pip install -e '.[browser]'")
    snapshots_page.find("#theme").select_option(scheme)
    snapshots_page.find("#ten").click()
    settled(snapshots_page, 10)
    snapshots_page.find(start).click()
    seen = ""
    while seen != (now := snapshots_page.text(title)):
        violations = axe.Axe().run(snapshots_page.page).response["violations"]
        serious = [v["id"] + ": " + v["nodes"][0]["html"] for v in violations if v["impact"] in ("serious", "critical")]
        assert serious == [], now
        seen = now
        if snapshots_page.text(turn) != "finish":
            snapshots_page.find(turn).click()


def test_the_keyboard_keeps_its_place(snapshots_page: OpenPage) -> None:
    """The focus goes on where a button is disabled or hidden. Esc ends the slides and the tour."""
    focused = "document.activeElement.id"
    keyboard = snapshots_page.page.keyboard
    snapshots_page.find("#step").press("Enter")
    settled(snapshots_page, 1)
    snapshots_page.find("#back").press("Enter")
    snapshots_page.wait_until(f"{focused} === 'step'")
    snapshots_page.find("#start-slides").press("Enter")
    snapshots_page.find("#present select").press("End")
    assert snapshots_page.text("#present .count").split(" of ")[0] != "1"
    snapshots_page.find("#slide-end").press("Enter")
    snapshots_page.wait_until(f"{focused} === 'start-slides'")
    snapshots_page.find("#start-tour").press("Enter")
    snapshots_page.find("#tour").wait_for()
    keyboard.press("Escape")
    snapshots_page.wait_until(f"{focused} === 'start-tour'")
