"""For each kind of file the short Python program that loads it and computes the outputs."""

import textwrap
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mnist_nn import Config
    from mnist_nn.chapter.activation import ActivationName

WIDTH = 80
MODULES: "dict[ActivationName, str]" = {"sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "ReLU", "identity": "Identity"}
FORMULAS: "dict[ActivationName, str]" = {
    "sigmoid": "1 / (1 + np.exp(-z))",
    "tanh": "np.tanh(z)",
    "relu": "np.maximum(z, 0)",
    "identity": "z",
}


def onnx_program(config: "Config", file: Path) -> str:
    """Return the program for an .onnx file, which needs onnxruntime."""
    name, what = ("image", "images") if _has_pixels(config) else ("input", "inputs")
    return _lines(
        "import onnxruntime",
        f"session = onnxruntime.InferenceSession({_quoted(file)})",
        f'(outputs,) = session.run(None, {{"{name}": {what}}})  # {what}: {_input(config)}',
    )


def torch_program(config: "Config", file: Path) -> str:
    """Return the program for a .safetensors file. Every tensor must fit, with none left over: strict=True."""
    sizes, deslants = config.network.sizes, config.data.deslant
    modules = [MODULES[name] for name in _activations(config)]
    layers = [f"Linear({sizes[l - 1]}, {sizes[l]}), {modules[l - 1]}()" for l in range(1, len(sizes))]
    double = ".double()" if config.dtype == "float64" else ""
    if not _has_pixels(config):
        last = f"outputs = network(inputs)  # inputs: a tensor, {_input(config)}"
    elif deslants:
        last = f"outputs = network(upright{double} / 255)"
    else:
        last = f"outputs = network(images{double} / 255)  # images: a tensor, {_input(config)}"
    return _lines(
        "from mnist_nn import deslant  # this network sees images sheared upright" if deslants else None,
        "from safetensors.torch import load_file",
        "from torch import from_numpy" if deslants else None,
        f"from torch.nn import {', '.join(sorted({'Flatten', 'Linear', 'Sequential', *modules}))}",
        _bracketed("layers = ", layers),
        f"network = Sequential(Flatten(), *layers){double}",
        f"network.load_state_dict(load_file({_quoted(file)}), strict=True)",
        f"upright = from_numpy(deslant(images))  # images: {_input(config)}" if deslants else None,
        last,
    )


def numpy_program(config: "Config", file: Path) -> str:
    """Return the program for an .npz file, whose last `a` are the outputs."""
    L = len(config.network.sizes) - 1
    names = list(dict.fromkeys(_activations(config)))
    choice = f"{FORMULAS[names[0]]} if l < {L} else " if len(names) == 2 else ""
    deslants, what = config.data.deslant, "images" if _has_pixels(config) else "inputs"
    pixels = "deslant(images)" if deslants else "images"
    first = f"{pixels}.reshape(len(images), -1) / 255" if _has_pixels(config) else "inputs"
    return _lines(
        "import numpy as np",
        "from mnist_nn import deslant  # this network sees images sheared upright" if deslants else None,
        f"network = np.load({_quoted(file)})",
        f"a = {first}  # {what}: {_input(config)}",
        f"for l in range(1, {L + 1}):",
        '    z = a @ network[f"w{l}"].T + network[f"b{l}"]',
        f"    a = {choice}{FORMULAS[names[-1]]}",
    )


def _has_pixels(config: "Config") -> bool:
    from mnist_nn.exporting.facts import takes_pixels

    return takes_pixels(config)


def _input(config: "Config") -> str:
    """Return the type and shape of what the network takes, such as "uint8 (N, 28, 28)"."""
    n_0 = config.network.sizes[0]
    if not _has_pixels(config):
        return f"{config.dtype} (N, {n_0})"
    side = isqrt(n_0)
    return f"uint8 (N, {side}, {side})" if side**2 == n_0 else f"uint8 (N, {n_0})"


def _quoted(file: Path) -> str:
    """Return the path as a string of Python, in double quotes where that needs no escapes."""
    text = repr(str(file))
    return f'"{text[1:-1]}"' if text.startswith("'") and '"' not in text else text


def _activations(config: "Config") -> "list[ActivationName]":
    """Return the activation of each layer, 1 to L."""
    network = config.network
    return [network.activation] * (len(network.sizes) - 2) + [network.output]


def _bracketed(beginning: str, parts: list[str]) -> str:
    """Return a tuple of the parts on one line, or if it is too long, on several lines in brackets."""
    if len(line := beginning + ", ".join(parts)) <= WIDTH:
        return line
    unbreakable = ", ".join(part.replace(" ", "\0") for part in parts)  # a layer stays on one line
    inside = textwrap.fill(unbreakable, WIDTH, initial_indent="    ", subsequent_indent="    ").replace("\0", " ")
    return f"{beginning}(\n{inside}\n)"


def _lines(*lines: str | None) -> str:
    return "\n".join(line for line in lines if line is not None)
