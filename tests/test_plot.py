"""`nn plot`: what is drawn and how it is labelled, valid files with the same bytes, charts that fit, one-line errors."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import Command
from filelock import FileLock
from matplotlib.figure import Figure
from nn_cli.plotting.chosen_runs import chosen_records
from nn_cli.plotting.curves import read_curves
from nn_cli.plotting.drawings import Drawing, drawing_of
from nn_cli.plotting.labels import group_labels
from nn_cli.plotting.style import SIZES, drawing
from nn_cli.plotting.swept import scale_of, sweep_of
from run_maker import make_run

from mnist_nn import Config, initial_state, save_checkpoint
from mnist_nn.runs.comparing import group_by_setting
from mnist_nn.runs.run_directory import RunDirectory

STARTS = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml", "pdf": b"%PDF-"}
KINDS = ["training", "sweep", "confusion", "weights"]


@pytest.fixture(scope="session")
def three_rates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("plot")
    number = 0
    for rate, best in ((0.1, 0.5), (1.0, 0.75), (10.0, 0.625)):
        for seed in range(3):
            number += 1
            config = {"seed": seed, "training": {"learning_rate": rate}}
            make_run(directory / f"{rate}-{seed}", config, accuracies=(0.25, best + seed / 16, best), number=number)
    return directory


@pytest.fixture
def rates(three_rates: Path) -> str:
    """Three learning rates with three seeds."""
    shutil.copytree(three_rates, "rates")
    return "rates"


def make_grid() -> str:
    for i, rate in enumerate((0.1, 1.0, 10.0)):
        for j, momentum in enumerate((0.0, 0.5)):
            config = {"training": {"learning_rate": rate, "momentum": momentum}}
            make_run(f"grid/{rate}-{momentum}", config, accuracies=(0.25 + i / 8 + j / 16,))
    return "grid"


def make_digit_run(path: str, digits: Path, sizes: Sequence[int] = (784, 12, 10), validation: int = 50) -> str:
    """A run whose best checkpoint is the untrained network."""
    data = {"source": "idx", "dir": str(digits), "validation": validation}
    config: dict[str, Any] = {"data": data, "network": {"sizes": list(sizes)}}
    make_run(path, config)
    settings = Config.model_validate(config)
    save_checkpoint(RunDirectory(Path(path)).checkpoint("best"), settings, initial_state(settings))
    return path


def write_norms(path: Path, norms: Sequence[float]) -> None:
    """Write gradients.csv: these norms for layer 1, and the double for layer 2."""
    rows = [f"{epoch},{l},{l * norm},0.5" for epoch, norm in enumerate(norms) for l in (1, 2)]
    (path / "gradients.csv").write_text("\n".join(["epoch,layer,dC_dw_norm,dC_db_norm", *rows, ""]))


def figure_of(found: Drawing, size: str = "slide") -> Figure:
    with drawing(SIZES[size]):
        return found.figure(SIZES[size])


def panel(figure: Figure, label: str) -> Any:
    (found,) = [axes for axes in figure.axes if label in (axes.get_ylabel(), axes.get_xlabel())]
    return found


def legend_texts(legend: Any) -> list[str]:
    return [text.get_text() for text in legend.get_texts()]


# Files


@pytest.mark.parametrize("ending", STARTS)
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_gives_each_kind_of_file(kind: str, ending: str, nn: Command, rates: str, digits: Path) -> None:
    run = rates if kind in ("training", "sweep") else make_digit_run("digits", digits)
    outcome = nn("plot", run, "--show", kind, "--out", f"picture.{ending}", "--size", "column")
    assert outcome.code == 0, outcome.err
    assert outcome.out == ""
    assert outcome.err.startswith(f"picture written to picture.{ending} (")
    assert Path(f"picture.{ending}").read_bytes().startswith(STARTS[ending])


def test_the_same_runs_give_the_same_bytes(nn: Command, rates: str) -> None:
    for ending in STARTS:
        for name in ("a", "b"):
            assert nn("plot", rates, "--out", f"{name}.{ending}", "--size", "column").code == 0
        assert Path(f"a.{ending}").read_bytes() == Path(f"b.{ending}").read_bytes(), ending


def test_the_users_matplotlib_settings_change_nothing(tmp_path: Path, rates: str) -> None:
    """Not even settings that matplotlib cannot read."""
    (tmp_path / "matplotlibrc").write_text(
        "lines.linewidth: 20\nfont.size: 50\nsavefig.format: nonsense\ntext.usetex: True\n"
    )
    program = "from nn_cli.main import main; main(['plot', 'rates', '--out', {!r}])"
    outputs = []
    for name, extra in (("a.png", {}), ("b.png", {"MATPLOTLIBRC": str(tmp_path), "MPLBACKEND": "nonsense"})):
        done = subprocess.run(
            [sys.executable, "-c", program.format(name)],
            cwd=tmp_path, env={**os.environ, **extra}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr.count("\n")) == (0, 1), done.stderr
        outputs.append((tmp_path / name).read_bytes())
    assert outputs[0] == outputs[1]


def test_a_slide_and_a_column_have_their_sizes(nn: Command, rates: str) -> None:
    assert nn("plot", rates, "--out", "a.png").err.endswith("(1920 × 1080 pixels)\n")
    assert int.from_bytes(Path("a.png").read_bytes()[16:20]) == 1920  # the width in a PNG's header
    assert nn("plot", rates, "--out", "b.png", "--size", "column").code == 0
    assert int.from_bytes(Path("b.png").read_bytes()[16:20]) == 1020


@pytest.mark.parametrize("ending", STARTS)
def test_only_pictures_of_this_command_are_replaced(ending: str, nn: Command, rates: str) -> None:
    file = Path(f"picture.{ending}")
    assert nn("plot", rates, "--out", file, "--size", "column").code == 0
    assert nn("plot", rates, "--show", "sweep", "--out", file, "--size", "column").code == 0
    file.write_bytes(STARTS[ending] + b"mine")
    outcome = nn("plot", rates, "--out", file)
    assert (outcome.code, outcome.error) == (
        2,
        f"Error: --out {file}: already exists and was not written by this command; choose another name "
        "(see `nn plot --help`)",
    )
    assert file.read_bytes() == STARTS[ending] + b"mine"


def test_a_picture_that_cannot_be_written_is_one_line(nn: Command, rates: str) -> None:
    outcome = nn("plot", rates, "--out", "missing/a.svg")
    assert (outcome.code, outcome.error) == (
        1,
        "Error: --out missing/a.svg: cannot be written: No such file or directory; choose another path",
    )


def test_help_and_a_chart_do_not_load_matplotlib(tmp_path: Path, rates: str) -> None:
    program = (
        "import sys\nfrom nn_cli.main import main\n"
        "for arguments in (['plot', '--help'], ['plot', 'rates'], ['plot', 'rates', '--show', 'sweep']):\n"
        "    try: main(arguments)\n"
        "    except SystemExit as end: assert not end.code, end\n"
        "assert 'matplotlib' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True)


# Training


def test_one_run_shows_both_splits_and_the_best_epoch() -> None:
    make_run("run", accuracies=(0.25, 0.75, 0.5))
    figure = figure_of(drawing_of("training", ["run"], None))
    validation, train = panel(figure, "accuracy (%)").lines[:2]
    assert list(validation.get_xdata()) == [1, 2, 3]
    assert list(validation.get_ydata()) == [25, 75, 50]
    assert list(train.get_ydata()) == [12.5] * 3
    assert (validation.get_linestyle(), train.get_linestyle()) == ("-", "--")
    assert legend_texts(figure.legends[0]) == ["validation", "train", "best epoch: 2, 75.00%"]
    (star,) = [line for line in panel(figure, "accuracy (%)").lines if line.get_marker() == "*"]
    assert (star.get_xdata()[0], star.get_ydata()[0]) == (2, 75)
    assert figure.get_suptitle() == "run"


def test_seeds_become_a_mean_and_a_band(rates: str) -> None:
    groups = group_by_setting(chosen_records([rates]))
    curves = read_curves(groups[0], "")
    assert curves.accuracy.mean.tolist() == [0.25, 0.75 + 1 / 16, 0.75]
    assert curves.accuracy.deviation.tolist() == [0, 1 / 16, 0]
    figure = figure_of(drawing_of("training", [rates], None))
    assert len(panel(figure, "accuracy (%)").collections) == 3
    assert figure.get_suptitle() == "mean of 3 runs each, band ± 1 s.d."


def test_curves_are_labelled_by_what_differs(rates: str) -> None:
    (legend,) = figure_of(drawing_of("training", [rates], None)).legends
    assert legend.get_title().get_text() == "learning_rate"
    assert legend_texts(legend) == ["1.0", "10.0", "0.1", "validation", "train", "best epoch"]
    groups = group_by_setting(chosen_records([make_grid()]))
    assert group_labels(groups)[1][0] == "learning_rate 10.0, momentum 0.5"


def test_groups_on_other_examples_show_their_data() -> None:
    for name in "ab":
        make_run(f"runs/{name}", data={"sha256": name * 64})
    assert group_labels(group_by_setting(chosen_records(["runs"])))[1] == ["data aaaaaaaa", "data bbbbbbbb"]


def test_curves_differ_without_colour_too(rates: str) -> None:
    lines = panel(figure_of(drawing_of("training", [rates], None)), "accuracy (%)").lines
    markers = {line.get_marker() for line in lines if line.get_linestyle() == "-"}
    assert len(markers) == 3


def test_only_the_best_groups_are_overlaid(nn: Command) -> None:
    for i in range(9):
        make_run(f"runs/{i}", {"training": {"learning_rate": 0.5 + i}}, accuracies=(i / 16,))
    outcome = nn("plot", "runs")
    assert outcome.err == "drawing the best 7 of 9 groups of runs; name runs to draw others\n"
    assert "8.5: best epoch 1, 50.00%" in outcome.out
    assert "1.5: " not in outcome.out


def test_gradient_norms_are_drawn_where_recorded() -> None:
    path = make_run("run", {"training": {"gradient_norms": True}}, accuracies=(0.25, 0.5))
    write_norms(path, (1.0, 0.5, 0.25))
    norms = panel(figure_of(drawing_of("training", ["run"], None)), "‖∂C/∂w‖")
    first, second = norms.lines[:2]
    assert list(first.get_xdata()) == [0, 1, 2]
    assert list(second.get_ydata()) == [2, 1, 0.5]
    assert norms.get_yscale() == "log"
    assert legend_texts(norms.get_legend()) == ["layer 1", "layer 2"]


def test_a_run_without_held_out_examples_shows_training() -> None:
    make_run("run", {"data": {"validation": 0}}, accuracies=(0.25, 0.5), held_out=False)
    (legend,) = figure_of(drawing_of("training", ["run"], None)).legends
    assert legend_texts(legend) == ["train", "best epoch: 2, 50.00%"]


def test_a_run_being_trained_ends_at_its_last_epoch(nn: Command) -> None:
    path = make_run("runs/a", accuracies=(0.25, 0.5), status="running")
    with (path / "metrics.csv").open("a") as file:
        file.write("3,30,0.1,0.2")  # the row that is being written
    with FileLock(path / ".lock"):
        outcome = nn("plot")
        figure = figure_of(drawing_of("training", [str(path)], None))
    assert outcome.err == "run runs/a\n"
    assert figure.get_suptitle() == "a (running, 2 epochs)"
    assert list(panel(figure, "accuracy (%)").lines[0].get_xdata()) == [1, 2]


def test_a_diverged_run_is_drawn_until_it_ends(nn: Command, rates: str) -> None:
    make_run("rates/x", {"seed": 3, "training": {"learning_rate": 1.0}}, accuracies=(0.25,), status="diverged")
    figure = figure_of(drawing_of("training", [rates], None))
    assert list(panel(figure, "accuracy (%)").lines[0].get_xdata()) == [1, 2, 3]
    assert nn("plot", rates).err == (
        "runs of one group have different numbers of epochs; where a run has ended, the mean is over the others\n"
    )


# Sweeps


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([0.1, 0.3, 1.0, 3.0], "log"),
        ([8, 16, 32, 64], "log"),
        ([10, 20, 30], "linear"),
        ([0.1, 10.0], "linear"),
        ([0.0, 0.5, 0.9], "linear"),
        ([0.0, 1e-5, 1e-4, 1e-3], "symlog"),
        (["relu", "tanh"], "names"),
        ([None, 1, 2], "names"),
        ([[4, 3, 2], [4, 5, 2]], "names"),
        ([False, True], "names"),
    ],
)
def test_the_scale_suits_the_values(values: list[Any], scale: str) -> None:
    assert scale_of(values) == scale


def test_one_key_is_a_curve_on_its_axis(rates: str) -> None:
    figure = figure_of(drawing_of("sweep", [rates], None))
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_xscale()) == ("learning_rate", "log")
    assert axes.get_ylabel() == "validation accuracy of the best epoch (%)"
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0.1", "1.0", "10.0"]
    assert list(axes.lines[0].get_ydata()) == [56.25, 81.25, 68.75]
    assert legend_texts(axes.get_legend()) == ["mean ± 1 s.d.", "one run", "best: 1.0, 81.25%"]


def test_diverged_values_are_marked(rates: str) -> None:
    make_run("rates/x", {"training": {"learning_rate": 100.0}}, accuracies=(), status="diverged")
    (axes,) = figure_of(drawing_of("sweep", [rates], None)).axes
    assert legend_texts(axes.get_legend())[-1] == "diverged"
    assert list(axes.lines[-1].get_xdata()) == [100]


def test_two_keys_are_a_heat_map() -> None:
    figure = figure_of(drawing_of("sweep", [make_grid()], None))
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("momentum", "learning_rate")
    (image,) = axes.images
    assert image.get_array().tolist() == [[25, 31.25], [37.5, 43.75], [50, 56.25]]
    assert [text.get_text() for text in axes.texts] == ["25.00", "31.25", "37.50", "43.75", "50.00", "56.25"]
    (frame,) = axes.patches
    assert frame.get_xy() == (0.5, 1.5)


def test_more_keys_have_a_panel_of_dots_each() -> None:
    for i, name in enumerate(("relu", "tanh", "sigmoid")):
        training = {"learning_rate": 10.0**i, "momentum": i / 4}
        make_run(f"runs/{i}", {"network": {"sizes": [4, 3, 2], "activation": name}, "training": training})
    figure = figure_of(drawing_of("sweep", ["runs"], None))
    shown = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_xlabel() for axes in shown] == ["activation", "learning_rate", "momentum"]
    assert all(len(axes.lines[0].get_xdata()) == 3 for axes in shown)


def test_a_scattered_search_is_no_heat_map() -> None:
    for i in range(4):
        make_run(f"runs/{i}", {"training": {"learning_rate": 1.0 + i, "momentum": i / 8}})
    assert not sweep_of(group_by_setting(chosen_records(["runs"]))).is_grid


def test_the_directory_of_a_sweep_shows_the_sweep(nn: Command, rates: str) -> None:
    assert nn("plot", rates).out.startswith("mean of 3 runs each\n")
    (Path(rates) / "plan.yaml").write_text("")
    assert nn("plot", rates).out.splitlines()[:3] == [
        "validation accuracy of the best epoch (* is the best)",
        "",
        "learning_rate  n    mean ± s.d.  50.0%" + 57 * " " + "87.5%",
    ]
    assert nn("plot", rates, "--show", "training").out.startswith("mean of 3 runs each\n")


def test_a_sweep_says_which_runs_are_not_finished(nn: Command, rates: str) -> None:
    make_run("rates/x", {"seed": 3, "training": {"learning_rate": 1.0}}, status="interrupted")
    assert nn("plot", rates, "--show", "sweep").err == "1 run not finished; drawn with the best accuracy so far\n"


# Confusion and weights


def test_confusion_is_measured_on_the_examples_held_out(nn: Command, digits: Path) -> None:
    run = make_digit_run("run", digits)
    outcome = nn("plot", run, "--show", "confusion")
    lines = outcome.out.splitlines()
    assert lines[0].startswith("run/checkpoints/best.safetensors, validation: ")
    assert lines[0].endswith("% of 50 examples")
    counts = [[int(cell.replace("·", "0")) for cell in line.split()[1:]] for line in lines[4:]]
    assert (len(counts), sum(map(sum, counts))) == (10, 50)
    figure = figure_of(drawing_of("confusion", [run], None))
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("answer", "true digit")
    assert [text.get_text() for text in axes.texts] == [str(n or "·") for row in counts for n in row]


def test_the_colours_of_a_confusion_show_errors_alone(digits: Path) -> None:
    figure = figure_of(drawing_of("confusion", [make_digit_run("run", digits)], None))
    errors = figure.axes[0].images[1].get_array()
    assert errors is not None
    assert errors.mask.diagonal().all()


def test_without_held_out_examples_confusion_is_on_training(nn: Command, digits: Path) -> None:
    run = make_digit_run("run", digits, validation=0)
    assert ", train: " in nn("plot", run, "--show", "confusion").out


def test_weights_are_images_around_zero(digits: Path) -> None:
    run = make_digit_run("run", digits)
    w = initial_state(
        RunDirectory(Path(run)) and Config.model_validate({"network": {"sizes": [784, 12, 10]}})
    ).network.w[1]
    figure = figure_of(drawing_of("weights", [run], None))
    (image,) = figure.axes[0].images
    low, high = image.get_clim()
    assert low == -high
    sheet = image.get_array()
    assert sheet is not None
    assert (sheet[:28, :28] == w[0].reshape(28, 28)).all()
    assert (sheet[:28, 30:58] == w[1].reshape(28, 28)).all()


def test_many_neurons_are_cut_with_a_note(nn: Command, digits: Path) -> None:
    run = make_digit_run("run", digits, (784, 101, 10))
    outcome = nn("plot", run, "--show", "weights", "--out", "w.png", "--size", "column")
    assert outcome.err.startswith("drawing the first 100 of 101 neurons\n")


# Charts in the terminal


@pytest.mark.parametrize("width", [60, 100])
@pytest.mark.parametrize("kind", ["training", "sweep", "confusion"])
def test_charts_fit_the_terminal(
    kind: str, width: int, nn: Command, rates: str, digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = {"network": {"sizes": [4, *[100] * 50, 2]}, "cost": "cross_entropy", "training": {"momentum": 0.5}}
    make_run("rates/deep", deep)
    monkeypatch.setenv("COLUMNS", str(width))
    outcome = nn("plot", rates if kind != "confusion" else make_digit_run("run", digits), "--show", kind)
    assert outcome.code == 0, outcome.err
    longest = max(map(len, outcome.out.splitlines()))
    assert longest <= width


def test_a_chart_can_be_ascii_alone(nn: Command, rates: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from nn_cli.terminal import Terminal

    monkeypatch.setattr(Terminal, "from_stdout", classmethod(lambda cls: cls(width=60, symbols=False)))
    for kind in ("training", "sweep"):
        assert nn("plot", rates, "--show", kind).out.isascii()


def test_a_chart_has_colours_on_a_terminal_only(nn: Command) -> None:
    from nn_cli.terminal import Terminal

    make_run("run", accuracies=(0.25, 0.5))
    assert "\x1b" not in nn("plot", "run").out
    coloured = "\n".join(drawing_of("training", ["run"], None).lines(Terminal(colour=True)))
    assert "\x1b[34m" in coloured


# Errors


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--out", "a.jpg"], "--out a.jpg: must end in .png, .svg or .pdf, which says what is written"),
        (["--size", "slide"], "--size slide: is the size of a picture; add --out FILE.png, .svg or .pdf"),
        (["--data-dir", "d"], "--data-dir: only the confusion matrix needs data; add --show confusion"),
        (
            ["--show", "confusion"],
            "--show confusion: draws one run, but rates holds 9; name one of them, such as rates/0.1-0",
        ),
        (
            ["--show", "weights"],
            "--show weights: draws one run, but rates holds 9; name one of them, such as rates/0.1-0",
        ),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], error: str, nn: Command, rates: str) -> None:
    outcome = nn("plot", rates, *arguments)
    assert (outcome.code, outcome.error) == (2, f"Error: {error} (see `nn plot --help`)")


def test_weights_need_a_picture(nn: Command, digits: Path) -> None:
    outcome = nn("plot", make_digit_run("run", digits), "--show", "weights")
    assert (outcome.code, outcome.error) == (
        2, "Error: --show weights: needs a picture; add --out weights.png (see `nn plot --help`)",
    )  # fmt: skip


def test_weights_need_square_inputs(nn: Command) -> None:
    config = {"network": {"sizes": [6, 3, 2]}}
    path = make_run("run", config)
    settings = Config.model_validate(config)
    save_checkpoint(RunDirectory(path).checkpoint("best"), settings, initial_state(settings))
    assert nn("plot", path, "--show", "weights", "--out", "w.png").error == (
        "Error: --show weights: 6 inputs (network.sizes) do not form a square image (see `nn plot --help`)"
    )


def test_runs_that_differ_in_nothing_are_no_sweep(nn: Command) -> None:
    for seed in range(2):
        make_run(f"runs/{seed}", {"seed": seed})
    assert nn("plot", "runs", "--show", "sweep").error == (
        "Error: --show sweep: these runs differ in nothing but the seed; use --show training (see `nn plot --help`)"
    )


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("diverged", "this run diverged before its first epoch ended; start a new run"),
        ("interrupted", "this run has not finished its first epoch; continue it, or draw another"),
    ],
)
def test_a_run_without_an_epoch_is_one_line(status: str, reason: str, nn: Command) -> None:
    make_run("run", accuracies=(), status=status)
    outcome = nn("plot", "run")
    assert (outcome.code, outcome.error) == (1, f"Error: run: {reason}")


def test_damaged_runs_are_left_out_with_one_note(nn: Command, rates: str) -> None:
    for name in ("x", "y"):
        (make_run(f"rates/{name}") / "metrics.csv").write_text("nonsense\n")
    outcome = nn("plot", rates)
    assert (outcome.code, outcome.err) == (0, "2 damaged runs left out, such as rates/x; see `nn runs`\n")
    outcome = nn("plot", "rates/x")
    assert outcome.code == 1
    assert outcome.error.startswith("Error: rates/x/metrics.csv: is damaged")


def test_a_path_without_runs_is_one_line(nn: Command) -> None:
    Path("empty").mkdir()
    Path("file.txt").touch()
    for name in ("missing", "empty", "file.txt"):
        outcome = nn("plot", name)
        assert outcome.code == 1
        assert outcome.error.startswith(f"Error: {name}: ")
