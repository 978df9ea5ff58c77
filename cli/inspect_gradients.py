"""`nn inspect-gradients`: each layer's gradient, and one derivative taken apart into the chapter's factors."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from .text import note

if TYPE_CHECKING:
    from mnist_nn import Examples, Network
    from mnist_nn.checkpoint import Checkpoint
    from mnist_nn.gradient_check import Difference, GradientCheck
    from mnist_nn.inspection import Inspection
    from mnist_nn.training import GradientNorms

    from .gradient_report import Report

DEFAULT_BATCH = 64
CHECKED_PER_LAYER = 100  # weights, and as many biases, unless all are asked for
WRITTEN_OUT = 30  # parameters at most, for the whole ∇C to be written out


def parse_indices(_: click.Context, option: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """Comma-separated indices, as many as the option's metavar names."""
    if value is None:
        return None
    form = str(option.metavar)
    try:
        indices = tuple(int(part) for part in value.split(","))
    except ValueError:
        indices = ()
    if len(indices) != form.count(",") + 1 or min(indices) < 0:
        raise click.BadParameter(f"{value!r} is not of the form {form}, such as {'2,4,12' if 'K' in form else '2,4'}")
    return indices


@click.command("inspect-gradients", short_help="See where the derivatives come from.")
@click.argument("run", required=False)
@click.option(
    "--weight",
    metavar="L,J,K",
    callback=parse_indices,
    help="Take apart ∂C/∂w from neuron K of layer L−1 to neuron J of L. Default: the largest.",
)
@click.option("--bias", metavar="L,J", callback=parse_indices, help="Take apart ∂C/∂b of neuron J of layer L.")
@click.option("--split", type=click.Choice(["train", "validation"]), help="Default: validation, if there is any.")
@click.option(
    "--example",
    type=click.IntRange(min=0),
    metavar="I",
    help="The example to take apart. Default: 0; for the largest weight, where it is largest.",
)
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    metavar="N",
    help="Average over the first N examples. Default: 64, or with --example that one alone.",
)
@click.option(
    "--depth",
    type=click.IntRange(min=1),
    metavar="N",
    help="Follow the chain through N layers: up to the cost, then back to the input. Default: 1.",
)
@click.option("--html", metavar="FILE", help="Write a page on which every derivative can be taken apart.")
@click.option("--checkpoint", type=click.Choice(["best", "last"]), help="Which of the run's two. Default: best.")
@click.option("--init", is_flag=True, help="The network before training; RUN may then be a CONFIG as well.")
@click.option("--check", is_flag=True, help="Compare with central differences, for a sample of the parameters.")
@click.option("--check-all", is_flag=True, help="The same for every parameter.")
@click.option(
    "--save", metavar="FILE", help="Write the averaged gradient as safetensors: w1, b1, … as in a checkpoint."
)
@click.option("--data-dir", metavar="DIR", help="Use the data files in this directory.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, at full precision.")
def inspect_gradients(
    run: str | None,
    weight: tuple[int, int, int] | None,
    bias: tuple[int, int] | None,
    split: Literal["train", "validation"] | None,
    example: int | None,
    batch: int | None,
    depth: int | None,
    html: str | None,
    checkpoint: Literal["best", "last"] | None,
    init: bool,
    check: bool,
    check_all: bool,
    save: str | None,
    data_dir: str | None,
    as_json: bool,
) -> None:
    """See where the derivatives of a network come from. RUN as in `nn evaluate`.

    One of them is taken apart into the chapter's factors: that of the weight with the largest |∂C/∂w|, unless
    --weight or --bias names another. Layers count from 1, neurons and examples from 0.

    \b
    nn inspect-gradients                                the largest one's story
    nn inspect-gradients --weight 2,4,12 --example 9    one weight and one image
    nn inspect-gradients --html page.html               all of it, in a browser
    nn inspect-gradients chain --init                   the chapter's own network
    """
    if weight and bias:
        raise click.UsageError("--weight and --bias exclude each other; ask for one at a time")
    subject = _subject(run, checkpoint, init)
    network = subject.checkpoint.network
    _check_place(network, weight, bias)

    from mnist_nn import COSTS
    from mnist_nn.inspection import Inspection
    from mnist_nn.schedule import learning_rate

    from .digits import load_split, with_data
    from .gradient_report import Report

    config = with_data(subject.checkpoint.config, None, data_dir)
    split = split or ("validation" if config.data.validation else "train")
    examples = load_split(config, split)
    indices = _choose_examples(split, len(examples), example, batch)
    rate = learning_rate(min(subject.checkpoint.state.epoch, config.training.epochs - 1), config.training)
    inspection = Inspection(network, COSTS[config.cost], _at(examples, indices), indices)
    layer, j, k = weight or ((*bias, None) if bias else inspection.largest())
    shown = indices.index(example or 0)
    if weight is None and bias is None and example is None:
        shown = inspection.strongest(layer, j, k)
    if depth is None:
        depth = 0 if bias and layer == network.L else 1
    checked = _check(inspection, config.seed, all_of_them=check_all) if check or check_all else None
    report = Report(
        name=subject.name,
        config=config,
        split=split,
        learning_rate=rate,
        inspection=inspection,
        layers=inspection.layers(rate),
        norms=subject.norms,
        derivative=inspection.derivative(layer, j, k, shown),
        route=list(islice(inspection.route(layer, j, k, shown), depth)),
        entries=list(inspection.entries(shown)) if network.parameters.size <= WRITTEN_OUT else [],
        check=checked,
        differences=_differences(inspection, layer, j, k) if checked else [],
    )
    if save is not None:
        _save(Path(save), inspection)
    if html is not None:
        _write_page(Path(html), report, examples)
    if as_json:
        import json

        from .gradient_report import as_document

        click.echo(json.dumps(as_document(report)))
    else:
        from .gradient_text import as_text
        from .terminal import Terminal

        click.echo(as_text(report, Terminal.at_hand()))
        if weight is None and bias is None:
            note(
                "\nAnother one: --weight L,J,K or --bias L,J, --example I. All of them, in a browser: --html page.html"
            )
    if checked is not None and not checked.passed:
        from mnist_nn.errors import GradientCheckError

        from .check_text import check_result

        raise GradientCheckError(check_result(checked))


@dataclass(frozen=True)
class Subject:
    """What is inspected: its name, its state, and what its run recorded of its gradients."""

    name: str
    checkpoint: "Checkpoint"
    norms: "list[GradientNorms]"


def _subject(run: str | None, name: Literal["best", "last"] | None, init: bool) -> Subject:
    from mnist_nn import initial_state, load_checkpoint
    from mnist_nn.checkpoint import Checkpoint
    from mnist_nn.run_directory import RunDirectory

    from .recipes import read_recipe, recipe_name, recipe_names
    from .runs import find_checkpoint

    if (
        init
        and run is not None
        and (run in recipe_names() or (Path(run).is_file() and Path(run).suffix != ".safetensors"))
    ):
        config = read_recipe(run, ())
        return Subject(recipe_name(run), Checkpoint(config, initial_state(config)), [])
    file = find_checkpoint(run, "last" if init and name is None else name)
    loaded = load_checkpoint(file)
    if init:
        loaded = Checkpoint(loaded.config, initial_state(loaded.config))
    directory = RunDirectory(file.parent.parent)
    if not (file.parent.name == "checkpoints" and directory.exists):
        return Subject(file.name, loaded, [])
    return Subject(directory.path.absolute().name, loaded, directory.gradient_norms(loaded.config))


def _check_place(network: "Network", weight: tuple[int, int, int] | None, bias: tuple[int, int] | None) -> None:
    """Raise UsageError where there is no such parameter in the network."""
    if weight is None and bias is None:
        return
    layer, j, k = weight or (*bias, None)  # type: ignore[misc]
    name = f"--weight {layer},{j},{k}" if weight else f"--bias {layer},{j}"
    if not 1 <= layer <= network.L:
        raise click.UsageError(f"{name}: there is no layer {layer}; w and b have layers 1 to {network.L}")
    n, n_prev = network.w[layer].shape
    if j >= n:
        raise click.UsageError(f"{name}: layer {layer} has neurons 0 to {n - 1}, no neuron {j}")
    if k is not None and k >= n_prev:
        raise click.UsageError(f"{name}: layer {layer - 1} has neurons 0 to {n_prev - 1}, no neuron {k}")


def _choose_examples(split: str, available: int, example: int | None, batch: int | None) -> list[int]:
    """The numbers of the examples to average over, among which is the one to take apart."""
    if example is not None and example >= available:
        raise click.UsageError(f"--example {example}: the {split} split has examples 0 to {available - 1}")
    if batch is not None and batch > available:
        raise click.UsageError(f"--batch {batch}: the {split} split has {available} examples")
    if example is not None and batch is None:
        return [example]
    count = batch or min(DEFAULT_BATCH, available)
    if example is not None and example >= count:
        raise click.UsageError(f"--example {example}: is not among the first {count} examples of --batch {count}")
    return list(range(count))


def _at(examples: "Examples", indices: list[int]) -> "Examples":
    import numpy as np

    return examples[np.array(indices)]


def _check(inspection: "Inspection", seed: int, *, all_of_them: bool) -> "GradientCheck":
    import sys

    from tqdm import tqdm

    from mnist_nn import check_gradient
    from mnist_nn.gradient_check import sample_parameters
    from mnist_nn.randomness import stream

    network = inspection.network
    indices = (
        range(network.parameters.size)
        if all_of_them
        else sample_parameters(network, stream(seed, "check"), CHECKED_PER_LAYER)
    )
    hidden = not sys.stderr.isatty()
    with tqdm(total=len(indices), desc="check", leave=False, dynamic_ncols=True, disable=hidden) as bar:
        return check_gradient(
            network, inspection.cost, inspection.x, inspection.y, inspection.gradient, indices, bar.update
        )


def _differences(inspection: "Inspection", layer: int, j: int, k: int | None) -> "list[Difference]":
    """The chosen parameter's derivative by central differences, from too large an h to too small a one."""
    from mnist_nn.gradient_check import differences_over_h, index_of

    network = inspection.network
    index = index_of(network, layer, j, k)
    return differences_over_h(network, inspection.cost, inspection.x, inspection.y, inspection.gradient, index)


def _save(path: Path, inspection: "Inspection") -> None:
    from safetensors.numpy import save

    from data_scripts.files import write_atomically
    from mnist_nn.checkpoint import named_tensors

    if path.exists():
        raise click.UsageError(f"--save {path}: exists already, and is not written over; choose another name")
    write_atomically(path, save(named_tensors(inspection.gradient.dC_dw, inspection.gradient.dC_db)))
    note(f"gradient written to {path}")


def _write_page(path: Path, report: "Report", examples: "Examples") -> None:
    from data_scripts.files import write_atomically

    from .gradient_page import MAX_EXAMPLES, MAX_PARAMETERS, is_page, page

    if path.exists() and not is_page(path):
        raise click.UsageError(f"--html {path}: exists already, and is no page of this command's; choose another name")
    if (size := report.inspection.network.parameters.size) > MAX_PARAMETERS:
        raise click.UsageError(
            f"--html {path}: the page holds the whole network, at most {MAX_PARAMETERS:,} parameters, not {size:,}"
        )
    if (size := len(report.inspection.indices)) > MAX_EXAMPLES:
        raise click.UsageError(f"--html {path}: the page holds at most {MAX_EXAMPLES} examples; use a smaller --batch")
    content = page(report, examples)
    write_atomically(path, content)
    note(f"page written to {path} ({len(content) / 1e6:.1f} MB); open it in a browser\n")
