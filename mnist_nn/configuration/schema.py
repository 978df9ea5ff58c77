"""All configuration keys, with their types, allowed ranges and defaults.

The defaults are the recipe `mnist` without its augmentation.
"""

import re
from collections.abc import Iterable
from math import isqrt
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

from ..chapter.activation import ACTIVATIONS, ActivationName
from ..chapter.cost import COSTS, CostName

InitName = Literal["standard_normal", "lecun_normal", "glorot_uniform", "he_normal", "centred"]

MAX_COMPILED_LAYERS = 32  # they compile for about 12 seconds, and 100 layers for a minute

Finite = Annotated[float, Field(allow_inf_nan=False)]
Row = Annotated[list[Finite], Field(min_length=1)]
Rows = Annotated[list[Row], Field(min_length=1)]


class Section(BaseModel):
    """Base of every section. It refuses unknown keys, does not convert strings to numbers, and cannot be changed."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _join_with_or(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}"


def _plain_or_mapping(value: Any) -> str:
    return "mapping" if isinstance(value, dict | BaseModel) else "plain"


class InitialValues(Section):
    """Initial parameters as numbers, by layer 1..L: w[l] has n_l rows of n_(l−1) numbers, b[l] has n_l numbers."""

    w: dict[int, Rows]
    b: dict[int, Row]


class StepSchedule(Section):
    """Multiply the learning rate by `factor` after each `every` epochs."""

    name: Literal["step"]
    every: int = Field(10, ge=1)
    factor: Finite = Field(0.1, gt=0, lt=1)


class DataConfig(Section):
    """Where the digits come from."""

    source: Literal["mnist", "idx", "synthetic", "inline"] = Field(
        "mnist", description="mnist (download), idx (four files in dir), synthetic or inline (inputs and targets)"
    )
    dir: str | None = Field(None, description="data directory; null: $NN_DATA_DIR, or the user's cache directory")
    validation: int = Field(10000, ge=0, description="examples held out from the end of the training set (inline: 0)")
    deslant: bool = Field(False, description="true or false: shear every image upright first")
    inputs: Rows | None = Field(None, description="only for source inline: one row of numbers per example")
    targets: Rows | None = Field(None, description="only for source inline: one row of desired outputs per example")

    @model_validator(mode="before")
    @classmethod
    def _inline_holds_nothing_out(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("source") == "inline":
            return {"validation": 0, **values}
        return values

    @model_validator(mode="after")
    def _inline_has_examples(self) -> "DataConfig":
        given = [key for key in ("inputs", "targets") if getattr(self, key) is not None]
        if self.source != "inline" and given:
            raise ValueError(f"{given[0]} goes with source: inline, not with source: {self.source}")
        if self.source == "inline":
            if self.inputs is None or self.targets is None:
                raise ValueError("source: inline needs both inputs and targets")
            if len(self.inputs) != len(self.targets):
                raise ValueError(f"{len(self.inputs)} rows of inputs but {len(self.targets)} rows of targets")
            for key, rows in (("inputs", self.inputs), ("targets", self.targets)):
                if len({len(row) for row in rows}) > 1:
                    raise ValueError(f"the rows of {key} differ in length")
        return self


class NetworkConfig(Section):
    """The multi-layer perceptron."""

    sizes: list[Annotated[int, Field(ge=1, le=1_000_000)]] = Field(
        default=[784, 100, 10],
        min_length=2,
        max_length=1001,
        description="neurons in each layer, from inputs to outputs: [n_0, …, n_L] or n_0-…-n_L",
    )
    activation: ActivationName = Field("sigmoid", description=f"hidden layers: {_join_with_or(ACTIVATIONS)}")
    output: ActivationName = Field("sigmoid", description=f"last layer: {_join_with_or(ACTIVATIONS)}")
    init: Annotated[
        Annotated[InitName, Tag("plain")] | Annotated[InitialValues, Tag("mapping")],
        Discriminator(_plain_or_mapping),
    ] = Field(
        "centred",
        description="centred, standard_normal, lecun_normal, glorot_uniform, he_normal or {w: …, b: …}",
    )

    @field_validator("sizes", mode="before")
    @classmethod
    def _sizes_as_they_are_printed(cls, value: Any) -> Any:
        """Also take sizes as every output prints them: 784-30-10."""
        printed = isinstance(value, str) and re.fullmatch("[0-9]{1,9}(-[0-9]{1,9})+", value)
        return [int(n) for n in value.split("-")] if printed else value

    @model_validator(mode="after")
    def _initial_values_fit(self) -> "NetworkConfig":
        if isinstance(self.init, InitialValues):
            layers = set(range(1, len(self.sizes)))
            for name, given in (("w", self.init.w), ("b", self.init.b)):
                if set(given) != layers:
                    raise ValueError(
                        f"init.{name} is given for layers {sorted(given)}, but the network has layers {sorted(layers)}"
                    )
            for l in layers:
                n, n_prev = self.sizes[l], self.sizes[l - 1]
                if len(self.init.w[l]) != n or any(len(row) != n_prev for row in self.init.w[l]):
                    raise ValueError(f"init.w of layer {l} must be {n} rows of {n_prev} numbers")
                if len(self.init.b[l]) != n:
                    raise ValueError(f"init.b of layer {l} must be {n} numbers")
        return self


class TrainingConfig(Section):
    """Mini-batch stochastic gradient descent."""

    epochs: int = Field(30, ge=1, le=1_000_000, description="passes over the training examples")
    batch_size: int = Field(10, ge=1, le=1_000_000, description="examples in a step")
    learning_rate: Finite = Field(1.0, gt=0, description="η in the step −η ∂C/∂w, where C = Σ (a − y)² without ½")
    momentum: Finite = Field(0.0, ge=0, lt=1, description="from 0 to below 1: share of the previous step that is kept")
    l2: Finite = Field(0.0, ge=0, description="adds l2 · w to ∂C/∂w, not to ∂C/∂b (torch: weight_decay)")
    schedule: Annotated[
        Annotated[Literal["constant", "cosine"], Tag("plain")] | Annotated[StepSchedule, Tag("mapping")],
        Discriminator(_plain_or_mapping),
    ] = Field("cosine", description="constant, cosine (falls to 0) or {name: step, every: …, factor: …}")
    warmup: int = Field(
        0, ge=0, le=1_000_000, description="number of first epochs in which the learning rate grows to η"
    )
    early_stopping: int | None = Field(
        None, ge=1, description="epochs without improvement before stopping; null: never"
    )
    threads: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="number of threads; null: one for small networks, up to all cores for large ones",
    )
    shards: int | None = Field(
        None,
        ge=1,
        le=4096,
        description="a power of two: parts of each batch for threads or processes; null: 1, or one for each process",
    )
    compiled: bool | None = Field(
        None, description="true or false: compile the steps with Numba; null: if it is there and the training gains"
    )
    gradient_norms: bool = Field(False, description="record each layer's ‖∂C/∂w‖ and ‖∂C/∂b‖ after every epoch")
    snapshots: int = Field(
        0, ge=0, le=1000, description="number of states to keep, from untrained to trained, most of them early; 0: none"
    )

    @model_validator(mode="after")
    def _shards_fit(self) -> "TrainingConfig":
        shards = self.shards or 1
        if shards & (shards - 1):
            raise ValueError(f"shards: {shards}: must be a power of two, such as {2 ** (shards.bit_length() - 1)}")
        if shards > self.batch_size:
            raise ValueError(f"shards: {shards}: must be at most batch_size, which is {self.batch_size}")
        if shards > 1 and self.compiled:
            raise ValueError(f"compiled: true: does not go with shards: {shards}; set compiled: false or shards: 1")
        return self


class ElasticConfig(Section):
    """Smooth random displacements of the pixels (Simard et al. 2003)."""

    sigma: Finite = Field(5.0, ge=1, le=1000, description="smoothness: pixels this close to each other move alike")
    alpha: Finite = Field(0.0, ge=0, le=10_000, description="strength: pixels move by about alpha / (6 sigma); 0: off")


class AugmentationConfig(Section):
    """Random distortions of the training images, different in each epoch. 0 turns a distortion off."""

    elastic: ElasticConfig = ElasticConfig()
    rotation: Finite = Field(0.0, ge=0, le=180, description="largest angle in degrees, in either direction; 0: off")
    scaling: Finite = Field(0.0, ge=0, lt=1, description="largest relative change of width and of height; 0: off")
    shear: Finite = Field(0.0, ge=0, le=10, description="largest slant, in pixels sideways per pixel down; 0: off")
    shift: Finite = Field(0.0, ge=0, le=1000, description="largest shift along each axis, in pixels; 0: off")

    @property
    def distorts(self) -> bool:
        """Whether any distortion is turned on."""
        return any((self.elastic.alpha, self.rotation, self.scaling, self.shear, self.shift))


class Config(Section):
    """The complete configuration of a training run."""

    seed: int = Field(0, ge=0, lt=2**63, description="another seed: other initial weights, order and distortions")
    dtype: Literal["float32", "float64"] = Field("float32", description="precision of all numbers: float32 or float64")
    data: DataConfig = DataConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    network: NetworkConfig = NetworkConfig()
    cost: CostName = Field("squared_error", description="squared_error, which is Σ (a − y)², or cross_entropy")
    training: TrainingConfig = TrainingConfig()

    @model_validator(mode="after")
    def _cost_fits_output(self) -> "Config":
        needed = COSTS[self.cost].output
        if needed not in (None, self.network.output):
            raise ValueError(
                f"cost: {self.cost} needs network.output: {needed}, whose outputs lie between 0 and 1, "
                f"not {self.network.output}"
            )
        if needed == "sigmoid" and any(not 0 <= y <= 1 for row in self.data.targets or [] for y in row):
            raise ValueError(f"cost: {self.cost} needs data.targets between 0 and 1")
        return self

    @model_validator(mode="after")
    def _images_are_square(self) -> "Config":
        n_0 = self.network.sizes[0]
        for key, off in self.need_square_images().items():
            if self.data.source == "inline":
                raise ValueError(
                    f"{key}: needs images, but data.source: inline has none; turn it off with --set {key}={off}"
                )
            if isqrt(n_0) ** 2 != n_0:
                raise ValueError(
                    f"{key}: needs square images, but {n_0} inputs (network.sizes) do not form a square; "
                    f"turn it off with --set {key}={off}"
                )
        return self

    @model_validator(mode="after")
    def _compiling_takes_seconds(self) -> "Config":
        L = len(self.network.sizes) - 1
        if self.training.compiled and L > MAX_COMPILED_LAYERS:
            raise ValueError(
                f"training.compiled: true: is for networks of at most {MAX_COMPILED_LAYERS} layers, and this one has "
                f"{L}: it would compile for minutes; set training.compiled=false"
            )
        return self

    def need_square_images(self) -> dict[str, str]:
        """The keys that need square images and are turned on, each with the value that turns it off."""
        wanted = {"augmentation": (self.augmentation.distorts, "{}"), "data.deslant": (self.data.deslant, "false")}
        return {key: off for key, (is_set, off) in wanted.items() if is_set}

    def plain(self) -> dict[str, Any]:
        """The complete configuration as nested dicts and lists. Unset inline examples are left out."""
        values = self.model_dump()
        for key in ("inputs", "targets"):
            if values["data"][key] is None:
                del values["data"][key]
        return values
