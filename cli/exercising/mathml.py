"""Expressions typeset: as MathML for pages, and as plain HTML with raised layers for Moodle."""

import re
from html import escape

from mnist_nn.exercises.quantity import Expression, Ratio, Symbol

# A minus belongs to a number if no space is between them: "0.5 − 2" has a difference, "−2" a negative number.
TOKEN = re.compile(r"(?P<share>1/\d)|(?P<squared>\)²)|(?P<number>−?[\d.]+)|(?P<name>σ′?)|(?P<sign>\S)")

OPEN, CLOSE = '<mo stretchy="false">(</mo>', '<mo stretchy="false">)</mo>'


def as_mathml(expression: Expression) -> str:
    """Return an expression as a <math> element."""
    inner = "".join(_tokens(part) if isinstance(part, str) else _quantity(part) for part in expression)
    return f'<math displaystyle="true"><mrow>{inner}</mrow></math>'


def _tokens(text: str) -> str:
    return "".join(_token(found) for found in TOKEN.finditer(text))


def _token(found: re.Match[str]) -> str:
    text = found[0]
    if found["share"]:
        return f"<mfrac><mn>1</mn><mn>{text[2:]}</mn></mfrac>"
    if found["squared"]:
        return f"<msup>{CLOSE}<mn>2</mn></msup>"
    if found["number"]:
        sign = '<mo form="prefix" lspace="0" rspace="0">−</mo>' if text.startswith("−") else ""
        return f"<mrow>{sign}<mn>{text.removeprefix('−')}</mn></mrow>"
    if found["name"]:
        return f"<mi>{escape(text)}</mi>"
    attributes = ' stretchy="false"' if text in "()" else ""
    return f"<mo{attributes}>{escape(text)}</mo>"


def _quantity(quantity: Symbol | Ratio) -> str:
    if isinstance(quantity, Ratio):
        top, bottom = (f"<mrow><mo>∂</mo>{_symbol(symbol)}</mrow>" for symbol in (quantity.top, quantity.bottom))
        return f"<mfrac>{top}{bottom}</mfrac>"
    return _symbol(quantity)


def _symbol(symbol: Symbol) -> str:
    letter = f"<mi>{symbol.letter}</mi>"
    above = "" if symbol.layer is None else f"<mrow>{OPEN}<mn>{symbol.layer}</mn>{CLOSE}</mrow>"
    below = f"<mtext>{_below(symbol)}</mtext>" if _below(symbol) else ""
    if above and below:
        return f"<msubsup>{letter}{below}{above}</msubsup>"
    if above:
        return f"<msup>{letter}{above}</msup>"
    return f"<msub>{letter}{below}</msub>" if below else letter


def _below(symbol: Symbol) -> str:
    """Return the subscript: the neurons, the example of C, or "new" after a step."""
    if symbol.letter == "C" and symbol.scope.isdigit():
        return symbol.scope
    return ",".join([*map(str, symbol.indices), *(["new"] if symbol.scope == "new" else [])])


def as_html(expression: Expression) -> str:
    """Return an expression as plain HTML: quantities with <sup> and <sub>, and derivatives with a slash."""
    return "".join(escape(part) if isinstance(part, str) else _plain(part) for part in expression)


def definition_as_html(definition: str) -> str:
    """Return a definition as HTML, with its exponent raised and its index lowered."""
    return escape(definition).replace("e^(−z)", "e<sup>−z</sup>").replace("C_k", "C<sub>k</sub>")


def _plain(quantity: Symbol | Ratio) -> str:
    if isinstance(quantity, Ratio):
        return f"∂{_plain(quantity.top)}/∂{_plain(quantity.bottom)}"
    layer = "" if quantity.layer is None else f"<sup>({quantity.layer})</sup>"
    below = _below(quantity)
    return f"<i>{quantity.letter}</i>{layer}" + (f"<sub>{below}</sub>" if below else "")
