"""The quantities on a sheet, with the chapter's names: symbols such as a^(1), and ratios such as ∂C/∂w^(1)."""

from dataclasses import dataclass
from functools import cached_property

Scope = str  # "", or the number of an example as in "0", or "new" for what follows a step downhill


@dataclass(frozen=True)
class Symbol:
    """One number of a network: a letter, its layer, and its indices if the layer has several neurons.

    `scope` tells apart quantities of the same name: of example "0" or "1", or "new" after a step downhill.
    """

    letter: str
    layer: int | None = None
    indices: tuple[int, ...] = ()
    scope: Scope = ""

    @cached_property
    def key(self) -> str:
        """The name in a file of answers: a1, w2_10, ex0_z1, C_0, new_C."""
        if self.scope.isdigit():
            return f"C_{self.scope}" if self.letter == "C" else f"ex{self.scope}_{self.plain_key}"
        return f"{self.scope}_{self.plain_key}" if self.scope else self.plain_key

    @property
    def plain_key(self) -> str:
        """The key without the scope."""
        layer = "" if self.layer is None else str(self.layer)
        indices = f"_{''.join(map(str, self.indices))}" if self.indices else ""
        return ("eta" if self.letter == "η" else self.letter) + layer + indices

    @property
    def text(self) -> str:
        """The name as `nn inspect-gradients` prints it: a(1), w(2)[1,0], C_0; after a step new a(1)."""
        if self.letter == "C" and self.scope.isdigit():
            return f"C_{self.scope}"
        layer = "" if self.layer is None else f"({self.layer})"
        indices = f"[{','.join(map(str, self.indices))}]" if self.indices else ""
        return ("new " if self.scope == "new" else "") + self.letter + layer + indices

    @property
    def full_text(self) -> str:
        """The name for a sentence, which says to which example it belongs."""
        return f"{self.text} of example {self.scope}" if self.scope.isdigit() and self.letter != "C" else self.text


@dataclass(frozen=True)
class Ratio:
    """The derivative ∂top/∂bottom."""

    top: Symbol
    bottom: Symbol

    @cached_property
    def key(self) -> str:
        """The name in a file of answers: dC_dw1, dC_0_dw1."""
        return f"d{self.top.key}_d{self.bottom.plain_key}"

    @property
    def text(self) -> str:
        """The name as `nn inspect-gradients` prints it: ∂C/∂w(1)."""
        return f"∂{self.top.text}/∂{self.bottom.text}"

    @property
    def full_text(self) -> str:
        """The name for a sentence: the same, because C_0 says to which example it belongs."""
        return self.text

    @property
    def scope(self) -> Scope:
        """The scope of what is differentiated."""
        return self.top.scope


Quantity = Symbol | Ratio
ETA = Symbol("η")
Expression = list[str | Quantity]  # what is written: characters as they are, and quantities by their names


@dataclass(frozen=True)
class Names:
    """The symbols of a network with these sizes, in one scope. Indices are left out where there is one neuron."""

    sizes: tuple[int, ...]
    scope: Scope = ""

    def _indices(self, layer: int, j: int) -> tuple[int, ...]:
        return (j,) if self.sizes[layer] > 1 else ()

    @property
    def parameters(self) -> Scope:
        """The scope of w and b. All examples share them."""
        return "new" if self.scope == "new" else ""

    def a(self, layer: int, j: int) -> Symbol:
        return Symbol("a", layer, self._indices(layer, j), "" if self.scope == "new" and layer == 0 else self.scope)

    def z(self, layer: int, j: int) -> Symbol:
        return Symbol("z", layer, self._indices(layer, j), self.scope)

    def w(self, layer: int, j: int, k: int) -> Symbol:
        several = self.sizes[layer] > 1 or self.sizes[layer - 1] > 1
        return Symbol("w", layer, (j, k) if several else (), self.parameters)

    def b(self, layer: int, j: int) -> Symbol:
        return Symbol("b", layer, self._indices(layer, j), self.parameters)

    def y(self, j: int) -> Symbol:
        scope = "" if self.scope == "new" else self.scope
        return Symbol("y", None, self._indices(len(self.sizes) - 1, j), scope)

    @property
    def C(self) -> Symbol:
        return Symbol("C", scope=self.scope)
