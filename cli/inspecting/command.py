"""`nn inspect-gradients`: take one derivative apart into the chapter's factors, and summarize each layer's gradient."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ..completion import complete_run
from ..output_files import FILE
from ..text import counted, note

if TYPE_CHECKING:
    from mnist_nn.explaining.gradient_check import Difference, GradientCheck
    from mnist_nn.explaining.inspection import Inspection
    from mnist_nn.explaining.parameter import Parameter

CHECKED_PER_LAYER = 100  # weights, and as many biases, without --check-all


def parse_indices(_: click.Context, option: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """Parse comma-separated indices, as many as the option's metavar has letters. Raises BadParameter."""
    if value is None:
        return None
    form = str(option.metavar)
    if not re.fullmatch(r"[0-9]{1,9}(,[0-9]{1,9})*", value) or value.count(",") != form.count(","):
        raise click.BadParameter(f"{value!r} is not of the form {form}, such as {'2,4,12' if 'K' in form else '2,4'}")
    return tuple(map(int, value.split(",")))


@click.command("inspect-gradients", short_help="See where the derivatives come from.")
@click.argument("run", required=False, shell_complete=complete_run)
@click.argument("other", required=False, metavar="[RUN]", shell_complete=complete_run)
@click.option(
    "--weight",
    metavar="L,J,K",
    callback=parse_indices,
    help="Take apart ∂C/∂w from neuron K of layer L−1 to neuron J of layer L. Default: the largest |∂C/∂w|.",
)
@click.option("--bias", metavar="L,J", callback=parse_indices, help="Take apart ∂C/∂b of neuron J of layer L.")
@click.option(
    "--split",
    type=click.Choice(["train", "validation"]),
    help="Use this split. Default: validation, or train if no examples are held out.",
)
@click.option(
    "--example",
    type=click.IntRange(min=0),
    metavar="I",
    help="Use this example. Default: 0, or without --weight and --bias the example with the largest |∂C/∂w|.",
)
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    metavar="N",
    help="Average over the first N examples. Default: 64, or with --example only that example.",
)
@click.option("--image", metavar="FILE", type=FILE, help="Use the digit on this picture, found as by `nn predict`.")
@click.option("--label", type=click.IntRange(0, 9), metavar="N", help="The digit that was meant on --image.")
@click.option(
    "--depth",
    type=click.IntRange(min=1),
    metavar="N",
    help="Follow the chain through N layers, first up to the cost, then back to the input. Default: 1.",
)
@click.option("--html", metavar="FILE", type=FILE, help="Write a page to explore every derivative in a browser.")
@click.option(
    "--checkpoint", type=click.Choice(["best", "last"]), help="Use this checkpoint of the run. Default: best."
)
@click.option("--init", is_flag=True, help="Inspect the network before training. RUN can then also be a CONFIG.")
@click.option("--check", is_flag=True, help="Compare a sample of the derivatives with central differences.")
@click.option("--check-all", is_flag=True, help="Compare every derivative with central differences.")
@click.option(
    "--save",
    metavar="FILE",
    type=FILE,
    help="Write the averaged gradient as safetensors. Its names are w1, b1, … as in a checkpoint.",
)
@click.option(
    "--data-dir",
    metavar="DIR",
    help="Read the data files from this directory. "
    "Default: the run's data.dir, else $NN_DATA_DIR, else the user's cache.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document with all digits instead of text.")
def inspect_gradients(
    run: str | None,
    other: str | None,
    weight: tuple[int, int, int] | None,
    bias: tuple[int, int] | None,
    split: Literal["train", "validation"] | None,
    example: int | None,
    batch: int | None,
    image: Path | None,
    label: int | None,
    depth: int | None,
    html: Path | None,
    checkpoint: Literal["best", "last"] | None,
    init: bool,
    check: bool,
    check_all: bool,
    save: Path | None,
    data_dir: str | None,
    as_json: bool,
) -> None:
    """See where the derivatives of a network come from.

    RUN is a run directory or a checkpoint file. Default: the newest run under runs/ that did not diverge.

    The output takes one derivative apart into the chapter's factors. Without --weight and --bias it is the derivative
    with the largest |∂C/∂w|. A summary of each layer's gradient follows, and what stands out in it. Layers count from
    1, neurons and examples from 0.

    With two RUNs, --html writes a page that shows both side by side. The text and --json are of the first one.

    \b
    nn inspect-gradients                                the largest derivative
    nn inspect-gradients --weight 2,4,12 --example 9    one weight, one example
    nn inspect-gradients --image 7.jpg --label 7        your own handwriting
    nn inspect-gradients --html page.html               explore in a browser
    nn inspect-gradients RUN RUN --html page.html       two runs side by side
    nn inspect-gradients chain --init                   the chapter's network
    """
    from mnist_nn import COSTS
    from mnist_nn.explaining.inspection import Inspection
    from mnist_nn.page.report import make_report

    from ..data_directory import with_data
    from .choices import check_comparable, choose_parameter, find_subject
    from .examples import check_choice, choose_examples, choose_picture
    from .files import check_files, write_files

    if other is not None and html is None:
        raise click.UsageError("two RUNs are compared on a page: add --html page.html, or name one RUN")
    check_choice(image, label, split, example, batch)
    subject = find_subject(run, checkpoint, init)
    compared = None if other is None else find_subject(other, checkpoint, init)
    if compared is not None:
        check_comparable(subject, compared)
    network, state = subject.checkpoint.network, subject.checkpoint.state
    parameter = choose_parameter(network, weight, bias)
    config = with_data(subject.checkpoint.config, None, data_dir)
    if image is not None and label is not None:
        chosen = choose_picture(subject, image, label)
    else:
        chosen = choose_examples(config, split, example, batch)
    indices = chosen.indices
    check_files(save, html, network.parameters.size, len(indices), networks=1 if compared is None else 2)

    inspected = chosen.examples[indices.start : indices.stop]
    inspection = Inspection(network, COSTS[config.cost], inspected, list(indices))
    largest = inspection.largest() if parameter is None else parameter
    shown = None if parameter is None and example is None else indices.index(example or 0)
    if depth is None:
        depth = 0 if bias and largest.layer == network.L else 1
    if depth > network.L:
        note(f"--depth {depth}: the chain of this network has only {counted(network.L, 'layer')}")
        depth = network.L
    checked = _check(inspection, config.seed, check_all=check_all) if check or check_all else None
    report = make_report(
        subject.name,
        config,
        inspection,
        split=chosen.split,
        picture=chosen.picture,
        epoch=state.epoch,
        is_trained=bool(state.epoch or state.step),
        parameter=parameter,
        shown=shown,
        depth=depth,
        norms=subject.norms,
        check=checked,
        differences=_differences(inspection, largest) if checked else [],
    )
    written = write_files(save, html, report, chosen.examples, subject, compared)
    if as_json:
        import json

        from mnist_nn.page.report import as_document

        click.echo(json.dumps(as_document(report), allow_nan=False))
    else:
        from ..terminal import Terminal
        from .text import as_short_text, as_text

        terminal = Terminal.from_stdout()
        click.echo(as_text(report, terminal) if html is None else as_short_text(report, terminal))
        if weight is None and bias is None and html is None:
            note("\nAnother derivative: --weight L,J,K or --bias L,J\nIn a browser: --html page.html")
    for message in written:
        note(message)
    if checked is not None and not checked.passed:
        from mnist_nn.errors import GradientCheckError

        from .check_text import check_result

        raise GradientCheckError(check_result(checked))


def _check(inspection: "Inspection", seed: int, *, check_all: bool) -> "GradientCheck":
    from data_scripts.progress import progress_bar
    from mnist_nn import check_gradient
    from mnist_nn.explaining.gradient_check import sample_parameters
    from mnist_nn.randomness import stream

    network = inspection.network
    indices = (
        range(network.parameters.size)
        if check_all
        else sample_parameters(network, stream(seed, "check"), CHECKED_PER_LAYER)
    )
    with progress_bar(total=len(indices), desc="check") as bar:
        return check_gradient(
            network, inspection.cost, inspection.x, inspection.y, inspection.gradient, indices, bar.update
        )


def _differences(inspection: "Inspection", parameter: "Parameter") -> "list[Difference]":
    """Return the chosen parameter's derivative by central differences, from a too large h to a too small h."""
    from mnist_nn.explaining.gradient_check import differences_over_h

    network = inspection.network
    return differences_over_h(network, inspection.cost, inspection.x, inspection.y, inspection.gradient, parameter)
