"""A network as named arrays: a safetensors file for PyTorch, an .npz file for NumPy and all that read it.

Equal networks with equal facts give equal bytes.
"""

import io

import numpy as np
from safetensors.numpy import save

from ..chapter.network import Network
from ..runs.checkpoint import named_tensors, sort_header


def to_safetensors(network: Network, facts: dict[str, str]) -> bytes:
    """A safetensors file with the names that torch.nn.Sequential gives: 1.weight, 1.bias, 3.weight, …

    Its module 0 flattens the images. Then each layer l has two: 2l − 1 is Linear, and 2l the activation.
    """
    tensors = {}
    for l in network.layers:
        tensors[f"{2 * l - 1}.weight"], tensors[f"{2 * l - 1}.bias"] = network.w[l], network.b[l][:, 0]
    return sort_header(save(tensors, {**facts, "format": "pt"}))  # as PyTorch's own files say


def to_npz(network: Network, facts: dict[str, str]) -> bytes:
    """An .npz file with the facts as strings, then w1, b1, …, wL, bL. It holds no pickled objects."""
    strings = {name: np.array(text, f"<U{max(1, len(text))}") for name, text in facts.items()}
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **strings, **named_tensors(network.w, network.b))
    return file.getvalue()
