"""The page's line charts, its pictures of the first layer's weights, and the pictures that it opens."""

import base64
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import photographs
import pytest
from browsing import SIZES, OpenPage
from conftest import Command
from PIL import Image, ImageDraw

from data_scripts.synthetic import draw_digits
from mnist_nn import Network, forward, load_checkpoint
from mnist_nn.page.file import module, texts

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SIDE = 28
PITCH = SIDE + 1  # pixels from one picture to the next: there is a line between them
LINE = "w"  # the colour of the chart's first line

WEIGHTS = """([sizes, side, parameters, place]) => {
    const network = new drawn.Network(sizes, "sigmoid", "sigmoid", "squared_error", Float64Array.from(parameters));
    const inputs = Float64Array.from({ length: sizes[0] }, (_, k) => k === sizes[0] - 2 ? 1 : 0);
    const passed = { a: [inputs, new Float64Array(sizes[1])] };
    window.state = { passed, place, theme: "light" };
    window.places = [];
    window.data = { network, side };
    window.render = drawn.mountWeights(document.getElementById("drawing"), window.data, (change) => {
        window.places.push(change.place);
        Object.assign(window.state, change);
        window.render(window.state);
    });
    window.render(window.state);
}"""
CHART = """([options, picks]) => {
    window.picked = [];
    if (picks) options.onPick = (i) => window.picked.push(i);
    window.render = drawn.mountChart(document.getElementById("drawing"), options);
}"""


def code_of(*names: str) -> str:
    """These modules of the page and all that they import, in one scope."""
    texts: dict[str, str] = {}

    def add(name: str) -> None:
        text = module(name)
        for imported in re.findall(r' from "\.[\w./]*/(\w+)\.js";', text):
            add(imported)
        texts.setdefault(name, re.sub(r"^import .*?;\n|^export ", "", text, flags=re.MULTILINE | re.DOTALL))

    for name in names:
        add(name)
    return "\n".join(texts.values())


@pytest.fixture
def drawing(browser: "Browser", tmp_path: Path) -> Iterator["Page"]:
    """A page with the style of the real one, and one empty section for a drawing."""
    style = "\n".join(texts(".css").values())
    file = tmp_path / "drawing.html"
    file.write_text(
        f'<!doctype html><meta charset="utf-8"><style>{style}</style><main><section class="card wide">'
        f'<div id="drawing"></div></section></main><script type="module">{code_of("chart", "weights")}\n'
        "window.drawn = { Network, colour, mountChart, mountWeights };</script>",
        encoding="utf-8",
    )
    context = browser.new_context(viewport={"width": 700, "height": 900})
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(file.as_uri())
    yield page
    context.close()
    assert complaints == []


def pixels(page: "Page") -> "np.ndarray[Any, Any]":
    """The canvas: (height, width, 4)."""
    address = page.eval_on_selector("canvas", "canvas => canvas.toDataURL()")
    with Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as picture:
        return np.asarray(picture.convert("RGBA")).astype(int)


def colour(page: "Page", name: str) -> "np.ndarray[Any, Any]":
    return np.array([int(value) for value in re.findall(r"\d+", page.evaluate("drawn.colour", name))])


def has_colour(page: "Page", name: str) -> "np.ndarray[Any, Any]":
    """Where the canvas has this colour, but for smooth edges: (height, width)."""
    found = pixels(page)
    is_near: np.ndarray[Any, Any] = (found[..., 3] > 200) & (
        np.abs(found[..., :3] - colour(page, name)).max(axis=-1) < 40
    )
    return is_near


# The weights of the first layer


@pytest.fixture
def weights(run: Path) -> "np.ndarray[Any, Any]":
    """The trained weights of the first layer: (12, 28, 28)."""
    w = load_checkpoint(run / "checkpoints/best.safetensors").network.w[1]
    return np.asarray(w, dtype=np.float64).reshape(SIZES[1], SIDE, SIDE)


@pytest.fixture
def show_weights(drawing: "Page", run: Path) -> Callable[..., None]:
    network = load_checkpoint(run / "checkpoints/best.safetensors").network

    def show(l: int = 1, j: int = 3, k: int = 4) -> None:
        parameters = np.asarray(network.parameters, dtype=np.float64).tolist()
        drawing.evaluate(WEIGHTS, [SIZES, SIDE, parameters, {"l": l, "j": j, "k": k}])
        drawing.wait_for_selector(".weight-scale :text('+')")

    return show


def pictures(page: "Page") -> "np.ndarray[Any, Any]":
    """The painted pictures without the lines between them: (12, 28, 28, 3)."""
    found = pixels(page)
    columns = (found.shape[1] - 1) // PITCH
    corners = [(1 + j // columns * PITCH, 1 + j % columns * PITCH) for j in range(SIZES[1])]
    return np.array([found[y : y + SIDE, x : x + SIDE, :3] for y, x in corners])


def expected_pictures(page: "Page", weights: "np.ndarray[Any, Any]", strong: float) -> "np.ndarray[Any, Any]":
    paper, plus, minus = (colour(page, name) for name in ("paper", "plus", "minus"))
    full = np.where(weights[..., None] < 0, minus, plus)
    strength = np.minimum(np.abs(weights) / strong, 1)[..., None]
    return np.asarray(paper + strength * (full - paper))


def test_every_pixel_has_the_sign_and_strength_of_its_weight(
    drawing: "Page", show_weights: Callable[..., None], weights: "np.ndarray[Any, Any]"
) -> None:
    show_weights()
    strong = float(np.abs(weights).max())
    np.testing.assert_allclose(pictures(drawing), expected_pictures(drawing, weights, strong), atol=1.5)
    assert f"+{strong:.3}" in drawing.inner_text(".weight-scale")
    assert "largest |w| of the layer." in drawing.inner_text(".weights figcaption")


def test_weights_that_training_changes_are_painted_by_the_next_render(
    drawing: "Page", show_weights: Callable[..., None], weights: "np.ndarray[Any, Any]"
) -> None:
    """On the scale that the page gives: the largest |w| so far."""
    show_weights()
    strong = 1.5 * float(np.abs(weights).max())
    drawing.evaluate("data.network.w[1].forEach((w, i, all) => (all[i] = -w / 2))")
    drawing.evaluate("strong => render({ ...state, weightScale: strong })", strong)
    np.testing.assert_allclose(pictures(drawing), expected_pictures(drawing, -weights / 2, strong), atol=1.5)
    assert f"−{strong:.3}" in drawing.inner_text(".weight-scale")
    assert "so far" in drawing.inner_text(".weights figcaption")


def test_a_click_chooses_the_neuron_and_its_strongest_weight(
    drawing: "Page", show_weights: Callable[..., None]
) -> None:
    show_weights()
    box = drawing.locator("canvas").bounding_box()
    assert box
    columns = (pixels(drawing).shape[1] - 1) // PITCH
    size = box["width"] / columns
    drawing.mouse.click(box["x"] + (7 % columns + 0.5) * size, box["y"] + (7 // columns + 0.5) * size)
    assert drawing.evaluate("places") == [{"l": 1, "j": 7, "k": 782}]


def test_arrow_keys_choose_neurons(drawing: "Page", show_weights: Callable[..., None]) -> None:
    show_weights()
    columns = (pixels(drawing).shape[1] - 1) // PITCH
    canvas = drawing.locator("canvas")
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "Home", "ArrowUp", "End"):
        canvas.press(key)
    assert [place["j"] for place in drawing.evaluate("places")] == [4, 4 + columns, 3 + columns, 0, 0, 11]
    assert canvas.get_attribute("aria-valuenow") == "11"
    assert canvas.get_attribute("aria-valuemax") == "11"
    assert (canvas.get_attribute("aria-valuetext") or "").startswith("neuron 11: largest |w| ")


@pytest.mark.parametrize(("place", "j"), [((1, 5, 4), 5), ((2, 6, 9), 9), ((3, 1, 2), None)])
def test_the_frame_is_around_the_chosen_neuron(
    drawing: "Page", show_weights: Callable[..., None], place: tuple[int, int, int], j: int | None
) -> None:
    """The neuron of a weight of layer 1, or the neuron where a weight of layer 2 starts."""
    show_weights(*place)
    mark = drawing.locator(".weight-mark:not(.near)")
    assert mark.is_visible() == (j is not None)
    if j is None:
        return
    box, frame = drawing.locator("canvas").bounding_box(), mark.bounding_box()
    assert box
    assert frame
    columns = (pixels(drawing).shape[1] - 1) // PITCH
    scale = box["width"] / (columns * PITCH + 1)
    assert frame["width"] == pytest.approx(SIDE * scale, abs=0.5)
    assert frame["x"] - box["x"] == pytest.approx((1 + j % columns * PITCH) * scale, abs=0.5)
    assert frame["y"] - box["y"] == pytest.approx((1 + j // columns * PITCH) * scale, abs=0.5)


def test_pointing_at_a_picture_says_its_largest_weight(
    drawing: "Page", show_weights: Callable[..., None], weights: "np.ndarray[Any, Any]"
) -> None:
    show_weights()
    largest = np.abs(weights).max(axis=(1, 2))
    said = drawing.locator(".weight-said")
    assert said.inner_text() == f"neuron 3: largest |w| {largest[3]:#.3g} (chosen)"
    drawing.locator("canvas").hover(position={"x": 20, "y": 20})
    assert said.inner_text() == f"neuron 0: largest |w| {largest[0]:#.3g}"
    drawing.mouse.move(0, 0)
    assert "neuron 3" in said.inner_text()


def test_pictures_outside_the_window_are_painted_when_they_come_into_view(
    drawing: "Page", show_weights: Callable[..., None], weights: "np.ndarray[Any, Any]"
) -> None:
    show_weights()
    before = pictures(drawing)
    drawing.evaluate("document.querySelector('main').style.paddingTop = '3000px'")
    drawing.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    drawing.wait_for_function(  # the browser has told the page that the canvas is far away
        """() => {
            const pixel = () => document.querySelector("canvas").getContext("2d").getImageData(3, 3, 1, 1).data.join();
            const before = pixel();
            data.network.w[1][2 * 28 + 2] *= -1;
            render(state);
            return pixel() === before;
        }"""
    )
    drawing.evaluate("data.network.w[1].fill(0.25); state.weightScale = 0.25; render(state)")
    assert np.array_equal(pictures(drawing)[5], before[5])
    drawing.locator("canvas").scroll_into_view_if_needed()
    plus = colour(drawing, "plus").tolist()
    drawing.wait_for_function(
        """(plus) => {
            const { data } = document.querySelector("canvas").getContext("2d").getImageData(9, 9, 1, 1);
            return plus.every((value, i) => data[i] === value);
        }""",
        arg=plus,
    )
    assert (pictures(drawing) == plus).all()


def test_paper_has_the_pictures_though_they_are_outside_the_window(
    drawing: "Page", show_weights: Callable[..., None]
) -> None:
    drawing.evaluate("document.querySelector('main').style.paddingTop = '3000px'")
    drawing.emulate_media(media="print")
    show_weights()
    assert (pixels(drawing)[..., 3] == 255).any()


def test_a_network_without_pictures_has_no_such_section(drawing: "Page") -> None:
    drawing.evaluate(WEIGHTS, [[2, 2, 1], None, [0.5] * 9, {"l": 1, "j": 0, "k": 0}])
    assert drawing.locator("section").is_hidden()


def test_a_layer_shows_1024_pictures_at_most(drawing: "Page") -> None:
    sizes = [9, 1100, 2]
    count = sum(m * (n + 1) for n, m in pairwise(sizes))
    drawing.evaluate(WEIGHTS, [sizes, 3, [0.5] * count, {"l": 1, "j": 1090, "k": 0}])
    assert "the first 1,024 neurons of the 1,100 in layer 1" in drawing.inner_text("#drawing")
    assert drawing.inner_text(".weight-said") == "The chosen neuron 1090 is not among the pictures."
    drawing.locator("canvas").press("End")
    assert drawing.evaluate("places.at(-1).j") == 1023


def test_weights_that_are_no_numbers_have_no_colour(
    drawing: "Page", show_weights: Callable[..., None], weights: "np.ndarray[Any, Any]"
) -> None:
    show_weights()
    drawing.evaluate("data.network.w[1].fill(NaN, 0, 784); render(state)")
    found = pictures(drawing)
    assert (found[0] == colour(drawing, "paper")).all()
    strong = float(np.abs(weights[1:]).max())
    np.testing.assert_allclose(found[1:], expected_pictures(drawing, weights[1:], strong), atol=1.5)


# The chart


def chart(page: "Page", *series: str, picks: bool = False, **options: object) -> None:
    lines = [{"name": name, "colour": own, "dash": own != LINE} for name, own in zip(series, (LINE, "z"), strict=False)]
    page.evaluate(CHART, [{"title": "Cost", "series": lines, "xName": "step", **options}, picks])


def draw(page: "Page", x: Sequence[float], *lines: Sequence[float | None], **more: object) -> None:
    page.evaluate("given => render(given)", {"x": x, "lines": lines, "theme": "light", **more})


def label(page: "Page") -> str:
    return page.locator("canvas").get_attribute("aria-label") or ""


def test_the_charts_summary_names_the_first_and_last_values(drawing: "Page") -> None:
    chart(drawing, "cost")
    draw(drawing, [0, 50, 100], [1.02, 0.5, 0.13])
    assert label(drawing) == "Cost: 1.02 at step 0, 0.130 at step 100"
    assert drawing.locator("canvas").get_attribute("role") == "img"
    assert "step 100" in drawing.inner_text(".chart-where")


def test_a_summary_of_two_lines_names_both_and_leaves_out_their_gaps(drawing: "Page") -> None:
    chart(drawing, "batch", "all")
    draw(drawing, [0, 1, 2, 3], [None, 0.5, 0.25, None], [None] * 4)
    assert label(drawing) == "Cost. batch: 0.500 at step 1, 0.250 at step 2; all: no values yet"
    assert drawing.locator(".chart-value").all_inner_texts() == ["0.250", "–"]


def test_the_summary_is_said_once_a_second_but_ends_right(drawing: "Page") -> None:
    chart(drawing, "cost")
    drawing.evaluate("for (let n = 1; n < 50; n++) render({ x: [0, n], lines: [[1, 0.5]], theme: 'light' })")
    assert label(drawing) == "Cost: 1 at step 0, 0.500 at step 1"
    drawing.wait_for_selector("canvas[aria-label$='at step 49']")


def test_thinning_keeps_every_extreme(drawing: "Page") -> None:
    n = 20_000
    line = [0.5] * n
    line[7_777], line[12_345], line[12_347] = 1, 0, 1  # the last two in one column of pixels
    chart(drawing, "cost", yRange=[0, 1])
    draw(drawing, list(range(n)), line)
    is_line = has_colour(drawing, LINE)
    height = is_line.shape[0]
    rows, columns = np.nonzero(is_line)
    top, bottom = 8, height - 22  # of the chart: y = 1 and y = 0
    assert abs(rows.min() - top) <= 1
    assert abs(rows.max() - bottom) <= 1
    left, right = columns.min(), columns.max() - 4  # the last point's dot reaches beyond the axis
    share = (columns - left) / (right - left)
    assert share[rows == rows.max()] == pytest.approx(12_345 / n, abs=0.005)
    highest = share[rows == rows.min()]
    assert highest[highest < 0.5] == pytest.approx(7_777 / n, abs=0.005)
    assert highest[highest > 0.5] == pytest.approx(12_347 / n, abs=0.005)
    assert 0 < (highest < 0.5).mean() < 1


def test_values_that_are_no_numbers_leave_gaps(drawing: "Page") -> None:
    """A number between two gaps is a dot."""
    x = list(range(101))
    line: list[float | None] = [0.5] * 101
    line[40:60] = [None] * 20
    line[50] = 0.5
    chart(drawing, "cost", yRange=[0, 1])
    draw(drawing, x, line)
    columns: np.ndarray[Any, Any] = np.any(has_colour(drawing, LINE), axis=0)
    left = int(columns.argmax())
    step = (len(columns) - columns[::-1].argmax() - 5 - left) / 100
    assert columns[left : left + round(38.5 * step)].all()
    assert not columns[left + round(40 * step) : left + round(49 * step)].any()
    assert columns[left + round(50 * step)]
    assert not columns[left + round(51 * step) : left + round(59 * step)].any()
    assert columns[left + round(60.5 * step) : left + round(100 * step)].all()


def test_the_x_axis_grows_in_round_steps(drawing: "Page") -> None:
    """So a point stays where it is while a few more arrive."""

    def column_of_spike(n: int) -> int:
        draw(drawing, list(range(n)), [float(i == 50) for i in range(n)])
        return int(np.nonzero(has_colour(drawing, LINE)[:12])[1].mean())

    chart(drawing, "cost")
    assert column_of_spike(102) == column_of_spike(110) == column_of_spike(121)
    assert column_of_spike(122) < column_of_spike(121)


def test_the_values_are_those_at_the_cursor_or_the_last(drawing: "Page") -> None:
    chart(drawing, "batch", "all")
    x = [0, 10, 20]
    lines: tuple[list[float | None], ...] = ([1, 0.5, 0.25], [0.9, None, 0.3])
    draw(drawing, x, *lines, cursor=10)
    assert drawing.locator(".chart-value").all_inner_texts() == ["0.500", "–"]
    assert drawing.inner_text(".chart-where") == "at step 10"
    draw(drawing, x, *lines, cursor=None)
    assert drawing.locator(".chart-value").all_inner_texts() == ["0.250", "0.300"]
    assert drawing.inner_text(".chart-where") == "at step 20"


def test_the_pointer_and_arrow_keys_pick_a_step(drawing: "Page") -> None:
    chart(drawing, "cost", picks=True)
    draw(drawing, list(range(11)), [1 - i / 20 for i in range(11)])
    canvas = drawing.locator("canvas")
    assert canvas.get_attribute("role") == "slider"
    for key in ("ArrowLeft", "ArrowDown", "Home", "ArrowLeft", "ArrowRight", "End"):
        canvas.press(key)
    assert drawing.evaluate("picked") == [9, 8, 0, 1, 10]  # not 0 twice
    assert canvas.get_attribute("aria-valuetext") == "step 10: cost 0.500"
    box = canvas.bounding_box()
    assert box
    drawing.mouse.click(box["x"] + 2, box["y"] + 90)
    assert drawing.evaluate("picked.at(-1)") == 0
    drawing.mouse.down()
    drawing.mouse.move(box["x"] + box["width"] - 2, box["y"] + 90)
    drawing.mouse.up()
    assert drawing.evaluate("picked.at(-1)") == 10
    assert canvas.get_attribute("aria-valuenow") == "10"


def test_a_logarithmic_axis_starts_at_0(drawing: "Page") -> None:
    chart(drawing, "cost", picks=True, logX=True)
    x = [0, 1, 10, 100]
    draw(drawing, x, [0, 0, 1, 0])
    rows, columns = np.nonzero(has_colour(drawing, LINE))
    left, right = columns.min(), columns.max() - 4
    box = drawing.locator("canvas").bounding_box()
    assert box
    spike = left + (right - left) * np.log1p(10) / np.log1p(100)
    assert columns[rows == rows.min()].mean() == pytest.approx(spike, abs=3)
    for n, value in enumerate(x):
        across = left + (right - left) * np.log1p(value) / np.log1p(100)
        drawing.mouse.click(box["x"] + float(across), box["y"] + 90)
        assert drawing.evaluate("picked.at(-1)") == n


def test_a_new_theme_brings_new_colours(drawing: "Page") -> None:
    chart(drawing, "cost")
    draw(drawing, [0, 10], [1, 1])
    assert has_colour(drawing, LINE).any()
    drawing.evaluate("document.documentElement.style.setProperty('--w', '#00ff00')")
    draw(drawing, [0, 10], [1, 1], theme="dark")
    assert has_colour(drawing, LINE).any()


def test_an_empty_chart_says_that_it_has_no_values(drawing: "Page") -> None:
    chart(drawing, "cost", picks=True)
    draw(drawing, [], [])
    drawing.locator("canvas").press("ArrowLeft")
    drawing.locator("canvas").click()
    assert label(drawing) == "Cost: no values yet"
    assert drawing.evaluate("picked") == []
    assert drawing.locator(".chart-value").all_inner_texts() == ["–"]


# Pictures that are opened


def png(picture: "Image.Image | np.ndarray[Any, Any]") -> bytes:
    file = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(file, "PNG")
    return file.getvalue()


def drop(open_page: OpenPage, *files: tuple[str, bytes]) -> None:
    """Drop files beside the sheet. The browser must not open them itself."""
    make = """files => {
        const transfer = new DataTransfer();
        for (const [name, bytes] of files) transfer.items.add(new File([Uint8Array.from(bytes)], name));
        return transfer;
    }"""
    transfer = open_page.page.evaluate_handle(make, [[name, list(content)] for name, content in files])
    send = """([kind, dataTransfer]) => {
        const event = new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true });
        return document.querySelector("main").dispatchEvent(event);
    }"""
    for kind in ("dragover", "drop"):
        has_default = open_page.page.evaluate(send, [kind, transfer])
        assert not has_default


def own_digit(open_page: OpenPage) -> "np.ndarray[Any, Any]":
    """The bytes (28, 28) of the opened picture, but for the rounding of the colours."""
    open_page.find(".seen[aria-label^='your own digit']").wait_for()
    open_page.find("#answer").wait_for()
    read = "one => Array.from(one.getContext('2d').getImageData(0, 0, 28, 28).data.filter((_, i) => i % 4 === 0))"
    paper = np.array(open_page.page.eval_on_selector(".seen", read))
    return (255 - paper).reshape(28, 28) * 255 / 238  # the colour of ink is 17


@pytest.mark.parametrize("inverted", [False, True])
def test_a_picture_of_28_by_28_keeps_its_bytes(inverted: bool, open_page: OpenPage, run: Path) -> None:
    """All activations are those of the same bytes. Black on white is inverted."""
    (image,), _ = draw_digits(1, 3)
    drop(open_page, ("digit.png", png(255 - image if inverted else image)))
    np.testing.assert_allclose(own_digit(open_page), image, atol=1)
    trained = load_checkpoint(run / "checkpoints/best.safetensors").network
    network = Network(SIZES, dtype=np.float64)
    network.parameters[:] = trained.parameters
    expected = forward(network, image.reshape(784, 1) * (1 / 255)).a
    for l, found in open_page.activations(SIZES).items():
        np.testing.assert_allclose(found, expected[l][:, 0], rtol=1e-12)


def test_a_photograph_is_read_as_nn_predict_does(nn: Command, run: Path, open_page: OpenPage, tmp_path: Path) -> None:
    """By the button and dropped. What the network sees differs by a pixel's shift at most."""
    images, labels = draw_digits(20, 4)
    for digit in (2, 7):
        photograph = photographs.photograph(images[labels == digit][0], np.random.default_rng(digit), side=400)
        file = tmp_path / f"{digit}.png"
        file.write_bytes(png(photograph))
        (predicted,) = json.loads(nn("predict", file, "--run", run, "--json").out)["pictures"][0]["digits"]
        open_page.find("#clear").click()
        if digit == 2:
            drop(open_page, (file.name, file.read_bytes()))
        else:
            open_page.find("#open input").set_input_files(file)
        found, expected = own_digit(open_page), np.array(predicted["seen"])
        shifted = [np.roll(expected, (down, across), (0, 1)) for down in (-1, 0, 1) for across in (-1, 0, 1)]
        assert min(np.abs(found - image).mean() for image in shifted) < 8
        assert open_page.text("#answer") == str(predicted["answer"])


def _drawn(*lines: tuple[int, int, int, int], paper: int = 255) -> bytes:
    picture = Image.new("L", (300, 200), paper)
    for line in lines:
        ImageDraw.Draw(picture).line(line, 0, 8)
    return png(picture)


BAR = (100, 50, 100, 150)
UNREADABLE = {
    "text": (b"seven", "is not a picture that this browser can read; save it as PNG or JPEG."),
    "cut": (_drawn(BAR)[:60], "is not a picture that this browser can read; save it as PNG or JPEG."),
    "blank": (_drawn(), "has no digit on it; write with a darker pen, go nearer, or cut it to the digit."),
    "small": (png(np.full((28, 28), 255, np.uint8)), "is blank; write a digit on it."),
    "black": (_drawn(paper=0), "has no digit on it; write with a darker pen, go nearer, or cut it to the digit."),
    "two": (_drawn(BAR, (200, 50, 200, 150)), "has 2 digits on it; cut it to one of them, or let nn predict read them all."),
    "ruled": (_drawn(BAR, (0, 100, 300, 100), (60, 20, 80, 20)), "has ruled lines as dark as the ink; nn predict takes them out."),
}  # fmt: skip


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_file_is_refused_in_a_sentence(name: str, open_page: OpenPage) -> None:
    """The example stays. The sentence goes when another is chosen."""
    content, expected = UNREADABLE[name]
    before = open_page.text("#cost")
    drop(open_page, ("my file", content))
    open_page.find("#refused:not(:empty)").wait_for()
    assert open_page.text("#refused") == f"my file {expected}"
    assert open_page.text("#cost") == before
    open_page.find("#example-3").click()
    assert open_page.text("#refused") == ""


def test_of_several_files_none_is_opened(open_page: OpenPage) -> None:
    drop(open_page, ("a.png", _drawn(BAR)), ("b.png", _drawn(BAR)))
    open_page.find("#refused:not(:empty)").wait_for()
    assert open_page.text("#refused") == (
        "a.png is one of several files; the page reads one, and nn predict all of them."
    )


def test_a_picture_can_be_pasted(open_page: OpenPage) -> None:
    (image,), _ = draw_digits(1, 3)
    paste = """bytes => {
        const clipboardData = new DataTransfer();
        clipboardData.items.add(new File([Uint8Array.from(bytes)], "image.png"));
        document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
    }"""
    open_page.page.evaluate(paste, list(png(image)))
    np.testing.assert_allclose(own_digit(open_page), image, atol=1)
