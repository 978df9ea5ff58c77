"""The network of a sheet as a drawing (SVG): its neurons, and every weight and bias beside its place."""

from collections.abc import Iterator

from mnist_nn.exercises.formula import number
from mnist_nn.exercises.quantity import Names, Symbol
from mnist_nn.exercises.sheet import Sheet

RADIUS, ACROSS, DOWN, MARGIN = 22, 165, 110, 40  # pixels


def as_svg(sheet: Sheet) -> str:
    """Return the drawing as an <svg> element."""
    sizes, problem = sheet.level.sizes, sheet.problem
    L, names = len(sizes) - 1, Names(sheet.level.sizes)
    width, height = 2 * MARGIN + L * ACROSS + 80, DOWN * (max(sizes) - 1) + 2 * RADIUS + 44
    parts = []
    for l in range(1, L + 1):
        for j in range(sizes[l]):
            for k in range(sizes[l - 1]):
                start, end = _centre(sizes, l - 1, k), _centre(sizes, l, j)
                parts.append(_line(*start, *end))
                slant = end[1] - start[1]
                x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + (30 if slant > 0 else -18 if slant else -8)
                parts.append(_label(x - (14 if slant < 0 else 0), y, names.w(l, j, k), problem.w[l][j][k]))
    for l in range(L + 1):
        for j in range(sizes[l]):
            x, y = _centre(sizes, l, j)
            parts.append(f'<circle cx="{x}" cy="{y}" r="{RADIUS}" fill="white" stroke="black" stroke-width="1.5"/>')
            parts.append(_text(x, y + 5, _name(names.a(l, j))))
            if l:
                parts.append(_label(x, y + RADIUS + 18, names.b(l, j), problem.b[l][j]))
            elif sheet.level.examples == 1:
                parts.append(_text(x, y + RADIUS + 18, number(problem.inputs[0][j])))
    if sheet.level.examples == 1:
        parts += _targets(sheet, names)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="The network {"-".join(map(str, sizes))}">{"".join(parts)}</svg>'
    )


def _targets(sheet: Sheet, names: Names) -> Iterator[str]:
    L = len(sheet.level.sizes) - 1
    for j, target in enumerate(sheet.problem.targets[0]):
        x, y = _centre(sheet.level.sizes, L, j)
        yield _label(x + RADIUS + 38, y + 5, names.y(j), target)


def _centre(sizes: tuple[int, ...], l: int, j: int) -> tuple[float, float]:
    return MARGIN + l * ACROSS, DOWN * (max(sizes) - sizes[l]) / 2 + DOWN * j + RADIUS + 4


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="black"/>'


def _label(x: float, y: float, symbol: Symbol, value: float) -> str:
    return _text(x, y, f"{_name(symbol)} = {number(value)}")


def _text(x: float, y: float, inner: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="middle" font-size="15">{inner}</text>'


def _name(symbol: Symbol) -> str:
    """Return a symbol as text of a drawing: its layer raised, its neurons lowered."""
    layer = "" if symbol.layer is None else f'<tspan dy="-6" font-size="10">({symbol.layer})</tspan>'
    lowered = ",".join(map(str, symbol.indices))
    below = f'<tspan dy="{10 if layer else 4}" font-size="10">{lowered}</tspan>' if lowered else ""
    back = f'<tspan dy="{-4 if below else 6}">&#8203;</tspan>' if layer or below else ""
    return f'<tspan font-style="italic">{symbol.letter}</tspan>{layer}{below}{back}'
