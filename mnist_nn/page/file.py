"""The results of `nn inspect-gradients` as one HTML file: the network, examples and code. It loads nothing else."""

import base64
import hashlib
import json
import re
from graphlib import TopologicalSorter
from html import escape
from importlib.resources import files
from typing import Any

from ..examples.dataset import Examples
from .data import Other, differing_settings, page_data
from .history import History
from .report import Report

MARK = b'<meta name="generator" content="nn inspect-gradients">'
SETTINGS = 3  # that the heading names


def render_page(
    report: Report, examples: Examples, history: History, other: Other | None = None, *, text: str = ""
) -> bytes:
    """Return the content of the HTML file. A browser without JavaScript shows the `text` instead.

    `examples` is the whole split of the report. Its first examples can be picked on the page. `history` is the training
    that the page replays. With an `other` network the page shows both side by side.
    """
    style = "\n".join(texts(".css").values())
    script = "\n".join(inlined(code) for code in modules())
    policy = (
        f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )
    parts = {
        "policy": policy,
        "title": escape(f"{report.name}: where a derivative comes from"),
        "subject": escape(_subject(report, other)),
        "text": escape(text),
        "style": style,
        "script": script,
        "data": embedded_json(page_data(report, examples, history, other)),
    }
    (template,) = texts(".html").values()
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], template).encode()


def _subject(report: Report, other: Other | None) -> str:
    """Return what the page is about: the names, the network, and the first settings in which two networks differ."""
    network = report.config.network
    sizes = "-".join(map(str, network.sizes))
    activation = "/".join(dict.fromkeys([network.activation, network.output]))
    built = f"{sizes} {activation}, {report.config.cost.replace('_', ' ')}"
    if other is None:
        return f"{report.name} · {built}"
    differing = differing_settings(report.config, other.checkpoint.config)
    settings = [f"{key}: {one} | {another}" for key, one, another in differing[:SETTINGS]]
    rest = [f"and {len(differing) - SETTINGS} more settings"] if len(differing) > SETTINGS else []
    return " · ".join([f"A: {report.name}", f"B: {other.name}", built, *settings, *rest])


def embedded_json(data: dict[str, Any]) -> str:
    """Return JSON that is safe inside a script element: no string in it can end the element."""
    return json.dumps(data, allow_nan=False).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def modules() -> list[str]:
    """Return the code of the page's JavaScript modules. Each comes after the modules that it imports."""
    found = texts(".js")
    imports = {name: re.findall(r' from "\.[\w./]*/(\w+\.js)";', text) for name, text in sorted(found.items())}
    return [found[name] for name in TopologicalSorter(imports).static_order()]


def module(name: str) -> str:
    """Return the code of one module, such as "network". Raises KeyError where there is none."""
    return texts(".js")[f"{name}.js"]


def texts(suffix: str) -> dict[str, str]:
    """Return the content of the page's files with this suffix, by name: those at the top first, then by folder."""
    top = files(__package__) / "browser"
    folders = [top, *sorted((entry for entry in top.iterdir() if entry.is_dir()), key=lambda folder: folder.name)]
    return {
        entry.name: entry.read_text(encoding="utf-8")
        for folder in folders
        for entry in folder.iterdir()
        if entry.name.endswith(suffix)
    }


def inlined(code: str) -> str:
    """Return a module's code without imports and exports, in a scope of its own. Its exports are outside it."""
    exported = re.findall(r"^export (?:function\*?|const|class) (\w+)", code, re.MULTILINE)
    body = re.sub(r"^import .*?;\n|^export ", "", code, flags=re.MULTILINE | re.DOTALL)
    return (
        f"const {{ {', '.join(exported)} }} = (() => {{\n{body}\nreturn {{ {', '.join(exported)} }};\n}})();"
        if exported
        else body
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
