"""`nn inspect-gradients`: each layer's gradient, and one derivative taken apart into the chapter's factors."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from .text import note

if TYPE_CHECKING:
    from mnist_nn import Config, Examples, Network
    from mnist_nn.checkpoint import Checkpoint
    from mnist_nn.gradient_check import GradientCheck
    from mnist_nn.inspection import Inspection

DEFAULT_BATCH = 64
CHECKED_PER_LAYER = 100  # weights, and as many biases, unless all are asked for


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
    help="Take apart ∂C/∂w from neuron K of layer L−1 to neuron J of L.",
)
@click.option("--bias", metavar="L,J", callback=parse_indices, help="Take apart ∂C/∂b of neuron J of layer L.")
@click.option("--split", type=click.Choice(["train", "validation"]), help="Default: validation, if there is any.")
@click.option("--example", type=click.IntRange(min=0), metavar="I", help="The example to take apart. Default: 0.")
@click.option(
    "--batch", type=click.IntRange(min=1), metavar="N",
    help="Average over the first N examples. Default: 64, or with --example that one alone.",
)  # fmt: skip
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
    checkpoint: Literal["best", "last"] | None,
    init: bool,
    check: bool,
    check_all: bool,
    save: str | None,
    data_dir: str | None,
    as_json: bool,
) -> None:
    """See where the derivatives of a network come from. RUN as in `nn evaluate`.

    Without --weight or --bias: a summary of each layer. Layers count from 1, neurons and examples from 0.

    \b
    nn inspect-gradients --weight 2,4,12 --example 9     the chain rule with its numbers
    nn inspect-gradients --bias 1,0 --check              a sum over paths, and a check
    nn inspect-gradients chain --init --weight 3,0,0     the chapter's own network
    """
    if weight and bias:
        raise click.UsageError("--weight and --bias exclude each other; ask for one at a time")
    loaded = _checkpoint(run, checkpoint, init)
    network = loaded.network
    layer, j, k = _place(network, weight, bias)

    from mnist_nn import COSTS
    from mnist_nn.inspection import Inspection
    from mnist_nn.schedule import learning_rate

    from .digits import with_data

    config = with_data(loaded.config, None, data_dir)
    rate = learning_rate(min(loaded.state.epoch, config.training.epochs - 1), config.training)
    examples, chosen, indices, shown = _choose_examples(config, split, example, batch)
    inspection = Inspection(network, COSTS[config.cost], examples, indices)
    checked = _check(inspection, config.seed, all_of_them=check_all) if check or check_all else None
    if save is not None:
        _save(Path(save), inspection)

    derivative = inspection.derivative(layer, j, k, shown) if layer else None
    paths = inspection.paths(layer, j, shown) if layer and layer < network.L else None
    from . import gradient_report

    summary = gradient_report.Report(
        config,
        chosen,
        inspection,
        inspection.layers(rate),
        derivative,
        paths,
        checked,
    )
    if as_json:
        import json

        click.echo(json.dumps(gradient_report.as_document(summary)))
    else:
        click.echo(gradient_report.as_text(summary))
    if checked is not None and not checked.passed:
        from mnist_nn.errors import GradientCheckError

        raise GradientCheckError(" ".join(gradient_report.check_result(checked)))


def _checkpoint(run: str | None, name: Literal["best", "last"] | None, init: bool) -> "Checkpoint":
    from mnist_nn import initial_state, load_checkpoint
    from mnist_nn.checkpoint import Checkpoint

    from .recipes import read_recipe, recipe_names
    from .runs import find_checkpoint

    if (
        init
        and run is not None
        and (run in recipe_names() or (Path(run).is_file() and Path(run).suffix != ".safetensors"))
    ):
        config = read_recipe(run, ())
        return Checkpoint(config, initial_state(config))
    loaded = load_checkpoint(find_checkpoint(run, "last" if init and name is None else name))
    return Checkpoint(loaded.config, initial_state(loaded.config)) if init else loaded


def _place(
    network: "Network", weight: tuple[int, int, int] | None, bias: tuple[int, int] | None
) -> tuple[int, int, int | None]:
    """(layer, j, k) of the parameter asked for, within the network; layer 0 where none is."""
    if weight is None and bias is None:
        return 0, 0, None
    layer, j, k = weight if weight is not None else (*bias, None)  # type: ignore[misc]
    name = f"--weight {layer},{j},{k}" if weight is not None else f"--bias {layer},{j}"
    if not 1 <= layer <= network.L:
        raise click.UsageError(f"{name}: there is no layer {layer}; w and b have layers 1 to {network.L}")
    n, n_prev = network.w[layer].shape
    if j >= n:
        raise click.UsageError(f"{name}: layer {layer} has neurons 0 to {n - 1}, no neuron {j}")
    if k is not None and k >= n_prev:
        raise click.UsageError(f"{name}: layer {layer - 1} has neurons 0 to {n_prev - 1}, no neuron {k}")
    return layer, j, k


def _choose_examples(
    config: "Config", split: Literal["train", "validation"] | None, example: int | None, batch: int | None
) -> tuple["Examples", str, list[int], int]:
    """The examples to average over, their split, their numbers there, and which of them to take apart."""
    from .digits import load_split

    split = split or ("validation" if config.data.validation else "train")
    examples = load_split(config, split)
    if example is not None and example >= len(examples):
        raise click.UsageError(f"--example {example}: the {split} split has examples 0 to {len(examples) - 1}")
    if batch is not None and batch > len(examples):
        raise click.UsageError(f"--batch {batch}: the {split} split has {len(examples)} examples")
    if example is not None and batch is None:
        return examples[example : example + 1], split, [example], 0
    count = batch or min(DEFAULT_BATCH, len(examples))
    if example is not None and example >= count:
        raise click.UsageError(f"--example {example}: is not among the first {count} examples of --batch {count}")
    return examples[:count], split, list(range(count)), example or 0


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
    bar = tqdm(indices, desc="check", leave=False, dynamic_ncols=True, disable=not sys.stderr.isatty())
    return check_gradient(network, inspection.cost, inspection.x, inspection.y, inspection.gradient, bar)


def _save(path: Path, inspection: "Inspection") -> None:
    from safetensors.numpy import save

    from data_scripts.files import write_atomically
    from mnist_nn.checkpoint import named_tensors

    if path.exists():
        raise click.UsageError(f"--save {path}: exists already, and is not written over; choose another name")
    write_atomically(path, save(named_tensors(inspection.gradient.dC_dw, inspection.gradient.dC_db)))
    note(f"gradient written to {path}")
