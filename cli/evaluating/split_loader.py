"""The examples of one split, as each of several networks sees them."""

from typing import TYPE_CHECKING, Literal

from ..loading import load_split

if TYPE_CHECKING:
    from mnist_nn import Config, Examples

Split = Literal["test", "validation", "train"]

KEPT = 2  # kinds of examples in memory: as they are, and deslanted


class SplitLoader:
    """Loads one split as each configuration's network sees it. Equal examples are loaded once."""

    def __init__(self, split: Split) -> None:
        self.split = split
        self._examples: dict[str, Examples] = {}
        self._digests: dict[str, str] = {}

    def load(self, config: "Config") -> "Examples":
        """Return the examples as the network of this configuration sees them. Raises the errors of `load_split`."""
        key = _kind(config)
        if key not in self._examples:
            examples = load_split(config, self.split)
            while len(self._examples) >= KEPT:
                del self._examples[next(iter(self._examples))]
            self._examples[key] = examples
        return self._examples[key]

    def sha256(self, config: "Config") -> str:
        """Return the digest of the examples before any deslanting. Raises the errors of `load_split`."""
        import hashlib

        plain = config.model_copy(update={"data": config.data.model_copy(update={"deslant": False})})
        key = _kind(plain)
        if key not in self._digests:
            examples = self._examples.get(key) or load_split(plain, self.split)
            digest = hashlib.sha256(examples.inputs.data)
            digest.update(examples.targets.data)
            self._digests[key] = digest.hexdigest()
        return self._digests[key]


def _kind(config: "Config") -> str:
    """Return what decides which examples a network sees: the data, the numbers of inputs and outputs."""
    sizes = config.network.sizes
    return f"{sizes[0]} {sizes[-1]} {sorted(config.need_square_images())} {config.data.model_dump_json()}"
