"""A network as an ONNX graph: from images of uint8, or from plain numbers, to the outputs a^(L).

The tensors have the chapter's names: w1, b1, z1, a1 and so on. The input is `image` or `input`, and a^(L) is `outputs`.
"""

from math import isqrt

import numpy as np
from onnx import NodeProto, TensorProto, ValueInfoProto, checker, helper, numpy_helper

from ..chapter.activation import ActivationName
from ..chapter.network import Network, number_of_parameters
from ..runs.checkpoint import Checkpoint, named_tensors
from .facts import WRITER, takes_pixels
from .onnx_deslanting import UPRIGHT, Constants, deslanting

# Opset 13 and IR 7 are those of ONNX 1.8 (2020). All operators of the graph are in it, and newer runtimes read older
# models, so every higher number would only exclude runtimes. onnxruntime 1.6.0 (2020) was seen to run graphs of
# float32, with deslanting too, to the same bits as 1.32. Graphs of float64 need 1.18: earlier versions fuse Gemm with
# σ, but have no float64 kernel for both together.
OPSET, IR = 13, 7
LARGEST = 2**31 - 2**20  # bytes of parameters; protobuf, of which ONNX files are made, ends at 2 GiB

OPERATORS: dict[ActivationName, str | None] = {"sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu", "identity": None}


def fits(network: Network) -> bool:
    """Whether one ONNX file can hold the network."""
    return number_of_parameters(network.sizes) * network.parameters.itemsize <= LARGEST


def to_onnx(checkpoint: Checkpoint, facts: dict[str, str]) -> bytes:
    """An ONNX file, checked by onnx.checker. The facts are its metadata.

    Square images come in as `image` (N, side, side), other pixels as `image` (N, n_0), both uint8; numbers come in as
    `input` (N, n_0). Raises ValueError for a network that does not fit into one file.
    """
    network, config = checkpoint.network, checkpoint.config
    if not fits(network):
        raise ValueError(f"{network} does not fit into one ONNX file")
    number = helper.np_dtype_to_tensor_dtype(network.parameters.dtype)
    entry, nodes, constants = _entry(network, number, pixels=takes_pixels(config), deslant=config.data.deslant)
    for l in network.layers:
        nodes += _layer(network, l, nodes[-1].output[0] if nodes else entry.name)
    constants |= named_tensors(network.w, network.b)
    graph = helper.make_graph(
        nodes,
        "network",
        [entry],
        [helper.make_tensor_value_info("outputs", number, ["N", network.sizes[-1]])],
        [numpy_helper.from_array(np.asarray(array, order="C"), name) for name, array in constants.items()],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
        producer_name=WRITER,
        producer_version=facts["nn_version"],
        doc_string=f"A multi-layer perceptron, {facts['sizes']}. {entry.name} → outputs, one row for each example.",
    )
    helper.set_model_props(model, facts)
    checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _entry(
    network: Network, number: int, *, pixels: bool, deslant: bool
) -> tuple[ValueInfoProto, list[NodeProto], Constants]:
    """The graph's input, and the nodes that make a^(0) of it, with their constants. a^(0) has rows, not columns."""
    n_0 = network.sizes[0]
    if not pixels:
        return helper.make_tensor_value_info("input", number, ["N", n_0]), [], {}
    side = isqrt(n_0)
    shape = [side, side] if side**2 == n_0 else [n_0]
    entry = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", *shape])
    if deslant:
        nodes, constants = deslanting("image", side)
    else:
        nodes, constants = [helper.make_node("Flatten", ["image"], ["flat"], axis=1)], {}
    nodes += [
        helper.make_node("Cast", [UPRIGHT if deslant else "flat"], ["pixels"], to=number),
        helper.make_node("Mul", ["pixels", "scale"], ["a0"]),
    ]
    return entry, nodes, constants | {"scale": np.array(1 / 255, network.parameters.dtype)}


def _layer(network: Network, l: int, a_prev: str) -> list[NodeProto]:
    """z^(l) = a^(l−1) w^(l)ᵀ + b^(l), with an example in each row, and a^(l) = σ(z^(l))."""
    operator, a = OPERATORS[network.activation[l].name], "outputs" if l == network.L else f"a{l}"
    z = f"z{l}" if operator else a
    nodes = [helper.make_node("Gemm", [a_prev, f"w{l}", f"b{l}"], [z], transB=1)]
    return [*nodes, helper.make_node(operator, [z], [a])] if operator else nodes
