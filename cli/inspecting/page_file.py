"""The results of `nn inspect-gradients` as one HTML file: the network, examples and code. It loads nothing else."""

import base64
import hashlib
import json
import math
import re
from graphlib import TopologicalSorter
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np

from mnist_nn import Examples

from ..terminal import Terminal
from .report import Report, as_document
from .text import as_text

GALLERY = 64  # examples on the page at least, if the split has so many
MARK = b'<meta name="generator" content="nn inspect-gradients">'


def render_page(report: Report, examples: Examples) -> bytes:
    """Return the content of the HTML file.

    `examples` is the whole split of the report. Its first examples can be picked on the page.
    """
    resources = files(__package__) / "page"
    style = "\n".join(text for _, text in sorted(_texts(".css").items()))
    script = "\n".join(_inlined(text) for text in modules())
    policy = (
        f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
    network = report.config.network
    sizes = "-".join(map(str, network.sizes))
    activation = "/".join(dict.fromkeys([network.activation, network.output]))
    parts = {
        "policy": policy,
        "title": escape(f"{report.name}: where a derivative comes from"),
        "subject": escape(f"{report.name} · {sizes} {activation}, {report.config.cost.replace('_', ' ')}"),
        "text": escape(as_text(report, Terminal())),
        "style": style,
        "script": script,
        "data": _embedded(_data(report, examples)),
    }
    template = (resources / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], template).encode()


def _data(report: Report, examples: Examples) -> dict[str, Any]:
    """Return the data from which the page computes. Numbers are little-endian doubles in base64, so none is rounded."""
    indices = sorted({*range(min(GALLERY, len(examples))), *report.inspection.indices})
    shown = examples[np.array(indices)]
    side = math.isqrt(shown.inputs.shape[1])
    pixels = shown.inputs.dtype == np.uint8
    return {
        "learning_rate": report.learning_rate,
        "rate_of": report.rate_of,
        "parameters": _base64(report.inspection.network.parameters),
        "examples": indices,
        "pixels": base64.b64encode(shown.inputs.tobytes()).decode() if pixels else None,
        "side": side if pixels and side * side == shown.inputs.shape[1] and side > 2 else None,
        "deslant": report.config.data.deslant,
        "inputs": None if pixels else _base64(shown.inputs),
        "targets": _base64(shown.targets),
        "trace": as_document(report),
    }


def _base64(values: "np.ndarray[Any, Any]") -> str:
    return base64.b64encode(values.astype("<f8").tobytes()).decode()


def _embedded(data: dict[str, Any]) -> str:
    """Return JSON that is safe inside a script element: no string in it can end the element."""
    return json.dumps(data, allow_nan=False).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def modules() -> list[str]:
    """Return the code of the page's JavaScript modules. Each comes after the modules that it imports."""
    texts = _texts(".js")
    imports = {name: re.findall(r' from "\./(\w+\.js)";', text) for name, text in sorted(texts.items())}
    return [texts[name] for name in TopologicalSorter(imports).static_order()]


def _texts(suffix: str) -> dict[str, str]:
    """Return the content of the page's files with this suffix, by name."""
    entries = (files(__package__) / "page").iterdir()
    return {entry.name: entry.read_text(encoding="utf-8") for entry in entries if entry.name.endswith(suffix)}


def _inlined(module: str) -> str:
    """Return a module's code without imports and exports: on the page all modules share one scope."""
    return re.sub(r"^import .*?;\n|^export ", "", module, flags=re.MULTILINE | re.DOTALL)


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
