"""Configuration: strict YAML 1.2, overrides, defaults, and errors that say what to do."""

import re
import time
from importlib.resources import files
from pathlib import Path

import pytest
from conftest import Command

from mnist_nn import Config, read_config
from mnist_nn.configuration.reader import MAX_BYTES, parse_config
from mnist_nn.configuration.recipes import recipe_names
from mnist_nn.configuration.writer import to_yaml
from mnist_nn.errors import ConfigError

RECIPES = sorted(file.name for file in files("nn_configs").iterdir() if file.name.endswith(".yaml"))


def error_message(text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as error:
        parse_config(text, "my.yaml", overrides)
    message = str(error.value)
    assert "\n" not in message
    assert len(message) < 1000
    return message


def test_there_are_exactly_eight_recipes() -> None:
    names = "quickstart mnist nielsen 3blue1brown chain simard simard-cross-entropy best"
    assert set(RECIPES) == {f"{name}.yaml" for name in names.split()}


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_is_valid_and_survives_a_round_trip(recipe: str) -> None:
    """Every recipe begins with a comment."""
    text = (files("nn_configs") / recipe).read_text(encoding="utf-8")
    assert text.startswith("# ")
    config = parse_config(text, recipe)
    assert parse_config(to_yaml(config), "again") == config


def test_the_defaults_equal_recipe_mnist_without_augmentation() -> None:
    mnist = parse_config((files("nn_configs") / "mnist.yaml").read_text(encoding="utf-8"), "mnist")
    assert mnist.augmentation.distorts
    assert mnist.model_copy(update={"augmentation": Config().augmentation}) == Config()


def test_numbers_and_words_are_read_as_yaml_1_2() -> None:
    """1e-3 is a number, and `no` is a word."""
    assert parse_config("training: {learning_rate: 1e-3}", "x").training.learning_rate == 0.001
    assert "'no'" in error_message("cost: no")


def test_an_override_changes_only_its_own_value() -> None:
    config = parse_config(
        "training: {epochs: 7, momentum: 0.5}", "x", ["training.epochs=2", "network.sizes=[784, 5, 10]"]
    )
    assert (config.training.epochs, config.training.momentum, config.network.sizes) == (2, 0.5, [784, 5, 10])


def test_step_schedules_and_initial_values_are_mappings() -> None:
    config = parse_config(
        "network: {sizes: [1, 1], init: {w: {1: [[0.5]]}, b: {1: [0.25]}}}\n"
        "training: {schedule: {name: step, every: 3, factor: 0.5}}",
        "x",
    )
    assert config.plain()["training"]["schedule"] == {"name": "step", "every": 3, "factor": 0.5}
    assert config.plain()["network"]["init"] == {"w": {1: [[0.5]]}, "b": {1: [0.25]}}
    assert parse_config(to_yaml(config), "again") == config


def test_gradient_norms_are_off_by_default(nn: Command) -> None:
    """`nn config` prints the key with a comment that explains it."""
    assert not parse_config("training: {epochs: 3}", "x").training.gradient_norms
    for recipe, overrides, value in (
        ("nielsen", [], "false"),
        ("chain", ["--set", "training.gradient_norms=true"], "true"),
    ):
        (line,) = [line for line in nn("config", recipe, *overrides).out.splitlines() if "gradient_norms" in line]
        key, comment = line.split("#")
        assert key.strip() == f"gradient_norms: {value}"
        assert comment.strip() == "record each layer's ‖∂C/∂w‖ and ‖∂C/∂b‖ after every epoch"


BAD = [
    ("seed: 0\ntraining:\n  learning_rat: 1.0\n", "my.yaml:3: training.learning_rat: unknown key; did you mean training.learning_rate?"),
    ("sed: 0", "my.yaml:1: sed: unknown key; did you mean seed?"),
    ("zzz: 0", "my.yaml:1: zzz: unknown key; the keys here are seed, dtype, data, augmentation, network, cost, training"),
    ("training: {epochs: ten}", "my.yaml:1: training.epochs: 'ten': must be a valid integer, ≥ 1 and ≤ 1000000"),
    ("training: {epochs: 2.5}", "my.yaml:1: training.epochs: 2.5: must be a valid integer, ≥ 1 and ≤ 1000000"),
    ("training:\n  epochs: 0", "my.yaml:2: training.epochs: 0: must be ≥ 1 and ≤ 1000000"),
    ("training: {epochs: '3'}", "my.yaml:1: training.epochs: '3': must be a valid integer, ≥ 1 and ≤ 1000000"),
    ("training: {momentum: 1.0}", "my.yaml:1: training.momentum: 1.0: must be ≥ 0 and < 1"),
    ("training: {gradient_norms: yes}", "my.yaml:1: training.gradient_norms: 'yes': must be a valid boolean"),
    ("training: {learning_rate: .nan}", "my.yaml:1: training.learning_rate: nan: must be a finite number, > 0"),
    ("training: {learning_rate: .inf}", "my.yaml:1: training.learning_rate: inf: must be a finite number, > 0"),
    ("seed: true", "my.yaml:1: seed: True: must be a valid integer"),
    ("cost: squared_eror", "did you mean squared_error?"),
    ("network:\n  activation: sigmoyd", "my.yaml:2: network.activation: 'sigmoyd': must be 'sigmoid', 'tanh', 'relu' or 'identity' (hidden layers: sigmoid, tanh, relu or identity); did you mean sigmoid?"),
    ("augmentation:\n  rotation: 200", "my.yaml:2: augmentation.rotation: 200: must be ≥ 0"),
    ("augmentation: {scaling: 1}", "my.yaml:1: augmentation.scaling: 1: must be ≥ 0"),
    ("augmentation: {shear: -0.1}", "my.yaml:1: augmentation.shear: -0.1: must be ≥ 0"),
    ("augmentation: {shift: .nan}", "my.yaml:1: augmentation.shift: nan: must be a finite number"),
    ("augmentation: {elastic: {sigma: 0}}", "my.yaml:1: augmentation.elastic.sigma: 0: must be ≥ 1"),
    ("augmentation: {elastic: {alpha: many}}", "my.yaml:1: augmentation.elastic.alpha: 'many': must be a valid number"),
    ("augmentation: {elastic: {apha: 36}}", "my.yaml:1: augmentation.elastic.apha: unknown key; did you mean augmentation.elastic.alpha?"),
    ("augmentation: {elastik: {alpha: 36}}", "my.yaml:1: augmentation.elastik: unknown key; did you mean augmentation.elastic?"),
    ("augmentation: true", "my.yaml:1: augmentation: True: must be a mapping of keys"),
    ("network:\n  sizes: [5, 1]\naugmentation:\n  rotation: 2", "my.yaml:3: augmentation: needs square images, but 5 inputs (network.sizes) do not form a square"),
    ("training: {warmup: -1}", "my.yaml:1: training.warmup: -1: must be ≥ 0"),
    ("data: {deslant: 1}", "my.yaml:1: data.deslant: 1: must be a valid boolean"),
    ("network: {init: xavier}", "network.init: 'xavier': must be 'standard_normal', 'lecun_normal'"),
    ("network: {sizes: [784]}", "my.yaml:1: network.sizes: [784]: List should have at least 2 items"),
    ("network:\n  sizes:\n    - 784\n    - 0\n    - 10", "my.yaml:4: network.sizes.1: 0: must be greater than or equal to 1"),
    ("network: {sizes: 784}", "network.sizes: 784: must be a valid list"),
    ("network: 3", "my.yaml:1: network: 3: must be a mapping of keys"),
    ("training: {schedule: {name: step, every: 0}}", "training.schedule.every: 0: must be ≥ 1"),
    ("training: {schedule: {every: 5}}", "my.yaml:1: training.schedule.name: is missing"),
    ("network: {sizes: [2, 1], init: {w: {1: [[1.0]]}, b: {1: [0.0]}}}", "network: init.w of layer 1 must be 1 rows of 2 numbers"),
    ("network: {sizes: [2, 1], init: {w: {2: [[1.0]]}, b: {1: [0.0]}}}", "init.w is given for layers [2], but the network has layers [1]"),
    ("cost: cross_entropy\nnetwork: {output: relu}", "cost: cross_entropy needs network.output: sigmoid"),
    ("data: {source: inline}", "my.yaml:1: data: source: inline needs both inputs and targets"),
    ("data: {source: inline, inputs: [[1.0]], targets: [[1.0], [0.0]]}", "1 rows of inputs but 2 rows of targets"),
    ("data: {source: inline, inputs: [[1.0], [1.0, 2.0]], targets: [[1.0], [0.0]]}", "the rows of inputs differ in length"),
    ("data: {source: inline, inputs: [[.nan]], targets: [[1.0]]}", "data.inputs.0.0: nan: must be a finite number"),
    ("data: {inputs: [[1.0]]}", "inputs goes with source: inline, not with source: mnist"),
    ("seed: 1\nseed: 2", "my.yaml:2: not valid YAML: found duplicate key"),
    ("- 1\n- 2", "my.yaml: must be a mapping of keys such as `seed: 0`, not [1, 2]"),
    ("just words", "my.yaml: must be a mapping"),
    ("", "my.yaml: is empty"),
    ("# only a comment\n", "my.yaml: is empty"),
    ("training: {epochs: 1", "my.yaml:1: not valid YAML"),
    ("a: &x [1]\nb: *x", "my.yaml:1: &x: YAML anchors and aliases are not supported; repeat the value"),
    ("seed: !!python/object:os.system {}", "my.yaml:1: !!python/object:os.system: YAML tags are not supported; leave it out"),
    ("seed: 0\n---\nseed: 1", "not valid YAML"),
    ("x: " + "[" * 2000 + "]" * 2000, "my.yaml:1: nested more than 10 deep"),
    ("seed: " + "9" * 5000, "my.yaml:1: not valid YAML: '99999"),
    ("seed: 0x" + "f" * 50_000, "my.yaml:1: seed: a huge number: must be ≥ 0 and < 9223372036854775808"),
    ("\n? " + "9" * 5000 + "\n: 1", "my.yaml:2: not valid YAML: '99999"),
    ("\ntraining: {learning_rate: 1e999}", "my.yaml:2: training.learning_rate: inf: must be a finite number"),
    ("\nseed: 2020-99-99", "my.yaml:2: seed: '2020-99-99': must be a valid integer"),
    ("seed: 2020-01-01", "my.yaml:1: seed: '2020-01-01': must be a valid integer"),
    ("seed: !!int abc", "my.yaml:1: !!int: YAML tags are not supported; leave it out"),
    ("seed: !!float ''", "my.yaml:1: !!float: YAML tags are not supported; leave it out"),
    ("seed: !!bool maybe", "my.yaml:1: !!bool: YAML tags are not supported; leave it out"),
    ("seed: !!binary aGk=", "my.yaml:1: !!binary: YAML tags are not supported; leave it out"),
    ("seed: !!binary é", "my.yaml:1: !!binary: YAML tags are not supported; leave it out"),
    ("seed: !!set {a}", "my.yaml:1: !!set: YAML tags are not supported; leave it out"),
    ("!!set {seed, cost}", "my.yaml:1: !!set: YAML tags are not supported; leave it out"),
    ("seed: !!omap [a: 1]", "my.yaml:1: !!omap: YAML tags are not supported; leave it out"),
    ("seed: !!python/name:os.system", "my.yaml:1: !!python/name:os.system: YAML tags are not supported; leave it out"),
    ("seed: !!python/object/apply:os.system [ls]", "my.yaml:1: !!python/object/apply:os.system: YAML tags are not supported; leave it out"),
    ("\nseed: !!int 3", "my.yaml:2: !!int: YAML tags are not supported; leave it out"),
    ("\nseed: !<tag:yaml.org,2002:int> 3", "my.yaml:2: !!int: YAML tags are not supported; leave it out"),
    ("seed: !!float 3", "my.yaml:1: !!float: YAML tags are not supported; leave it out"),
    ("seed: !x 3", "my.yaml:1: !x: YAML tags are not supported; leave it out"),
    ("seed: ! 3", "my.yaml:1: !: YAML tags are not supported; leave it out"),
    ("!!map {seed: 1}", "my.yaml:1: !!map: YAML tags are not supported; leave it out"),
    ("training: !!map {epochs: 1}", "my.yaml:1: !!map: YAML tags are not supported; leave it out"),
    ("!!str seed: 1", "my.yaml:1: !!str: YAML tags are not supported; leave it out"),
    ("network: {sizes: !!seq [2, 1]}", "my.yaml:1: !!seq: YAML tags are not supported; leave it out"),
    ("%TAG !e! tag:example.org,2000:\n---\nseed: !e!x 1", "my.yaml:3: tag:example.org,2000:x: YAML tags are not supported; leave it out"),
    ("network: {sizes: 784-30-}", "my.yaml:1: network.sizes: '784-30-': must be a valid list (neurons in each layer"),
    ("network: {sizes: 784--10}", "my.yaml:1: network.sizes: '784--10': must be a valid list"),
    ("network: {sizes: 784-3x-10}", "my.yaml:1: network.sizes: '784-3x-10': must be a valid list"),
    ("network: {sizes: '784'}", "my.yaml:1: network.sizes: '784': must be a valid list"),
    ("network: {sizes: 784-0-10}", "my.yaml:1: network.sizes: 0: must be greater than or equal to 1"),
    ("seed: !" + "x" * 5000 + " 1", "my.yaml:1: !xxxx"),
    ("training:\n  <<: {epochs: 3}", "my.yaml:2: <<: YAML merge keys are not supported; write the keys out"),
    ("seed: 1\n<<: [{seed: 2}]", "my.yaml:2: <<: YAML merge keys are not supported; write the keys out"),
    ("a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]", "my.yaml:1: &a: YAML anchors and aliases are not supported; repeat the value"),
    ("seed: *" + "x" * 5000, "my.yaml:1: *xxxxx"),
    ("seed: 1\n\ttraining: 2", "my.yaml:2: not valid YAML"),
    ("training:\n\tepochs: 3", "my.yaml:2: not valid YAML: found character '\\t'"),
    ("seed: 1\ntraining: {epochs: 1, epochs: 2}", "my.yaml:2: not valid YAML: found duplicate key"),
    ("{a: " * 11 + "1" + "}" * 11, "my.yaml:1: nested more than 10 deep"),
    ("- " * 500 + "1", "my.yaml:1: nested more than 10 deep"),
    ("seed: 1\n2020-01-01: 3", "my.yaml:2: 2020-01-01: unknown key; the keys here are seed, dtype"),
    ("null: 3", "my.yaml:1: None: is not a key; the keys here are seed, dtype"),
    ("training: {1: 3}", "my.yaml:1: 1: is not a key; the keys here are epochs, batch_size"),
    ("'': 3", "my.yaml:1: '': unknown key; the keys here are seed"),
    ("? {a: 1}\n: 3", "my.yaml:1: not valid YAML: found unhashable key"),
    ("? " + "k" * 5000 + "\n: 3", "…: unknown key; the keys here are seed"),
    ("seed: \0", "my.yaml: not valid YAML: unacceptable character #x0000"),
    ("seed: \ud800", "my.yaml: not valid YAML: unacceptable character #xd800"),
    ("cost: '\ufeffsigmoid'", "my.yaml:1: cost: '\\ufeffsigmoid': must be"),
    ('cost: "\\ud800"', "my.yaml:1: cost: '\\ud800': must be"),
    ('cost: "\\U00110000"', "my.yaml: not valid YAML: holds an escape or a number that cannot be read"),
    ("%YAML 1." + "1" * 5000 + "\n---\nseed: 1", "my.yaml: not valid YAML: holds an escape or a number that cannot be read"),
    ("[&0,&0]", "my.yaml:1: &0: YAML anchors and aliases are not supported"),
    ("\ud83d: 1", "my.yaml: not valid YAML: unacceptable character #xd83d"),
    ("%YAML 1.1\n---\nseed: 010", "my.yaml:2: only YAML 1.2 is read; leave the %YAML line out"),
    ("%YAML 2.0\n---\nseed: 1", "my.yaml:1: not valid YAML: found incompatible YAML document"),
    ("seed: 99999999999999999999", "seed: 99999999999999999999: must be ≥ 0 and < 9223372036854775808"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), BAD, ids=[text[:40] for text, _ in BAD])
def test_a_bad_configuration_is_refused_with_place_and_reason(text: str, expected: str) -> None:
    """The message gives the line, key, value and reason."""
    assert expected in error_message(text)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("training.epochs", "--set training.epochs: needs the form KEY=VALUE, such as training.epochs=5"),
        ("=5", "--set =5: needs the form KEY=VALUE"),
        ("training.epochs=0", "--set training.epochs=0: training.epochs: 0: must be ≥ 1 and ≤ 1000000"),
        ("training.epoch=3", "--set training.epoch=3: training.epoch: unknown key; did you mean training.epochs?"),
        ("seed.x=3", "--set seed.x=3: seed is not a section"),
        ("seed=[", "--set seed=[: not valid YAML"),
        ("9" * 5000 + "=1", "…: unknown key; the keys here are seed"),
        ("network.sizes." + "9" * 5000 + "=1", "network.sizes is not a section that holds 9999"),
        ("network.sizes.٣=1", "network.sizes is not a section that holds ٣"),
        ("network.sizes.-1=1", "network.sizes is not a section that holds -1"),
        ("data.dir" + ".a" * 3000 + "=1", "…: nested more than 10 deep"),
        ("seed=" + "9" * 5000, "…: not valid YAML: '9999"),
        ("seed=*a", "--set seed=*a:1: *a: YAML anchors and aliases are not supported"),
        ("training.schedule.every=0", "--set training.schedule.every=0: training.schedule.name: is missing"),
        ("training.=1", "--set training.=1: training.: unknown key"),
        ("network.sizes.a\nb=1", "network.sizes is not a section that holds a\\nb"),
        ("seed.a\nb.c=1", "seed is not a section that holds a\\nb"),
        ('network.init={w: {"a\\nb": [[1.0]]}, b: {}}', "network.init.w.a\\nb: 'a\\nb': must be a valid integer"),
        (".=1", "--set .=1: '': unknown key"),
        ("\x1b[31m=\n1", "--set \\x1b[31m=\\n1: \\x1b[31m: unknown key"),
    ],
)
def test_a_bad_override_is_quoted_in_the_error(override: str, expected: str) -> None:
    assert expected in error_message("seed: 0\nnetwork: {sizes: [4, 5]}", override)


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        # the same name in another section
        ("epochs", "training.epochs"), ("sizes", "network.sizes"), ("data.momentum", "training.momentum"),
        ("network.seed", "seed"), ("sigma", "augmentation.elastic.sigma"), ("Epochs", "training.epochs"),
        ("elastic.alpha", "augmentation.elastic"), ("batch-size", "training.batch_size"),
        # the name that other programs use
        ("lr", "training.learning_rate"), ("eta", "training.learning_rate"), ("η", "training.learning_rate"),
        ("training.lr", "training.learning_rate"), ("batch", "training.batch_size"), ("batchsize", "training.batch_size"),
        ("weight_decay", "training.l2"), ("layers", "network.sizes"), ("hidden", "network.sizes"), ("loss", "cost"),
        # a misspelt name
        ("trainin.epochs", "training"), ("learning_rat", "training.learning_rate"), ("training_epochs", "training.epochs"),
        ("training.epoch", "training.epochs"), ("epoch", "training.epochs"), ("early_stop", "training.early_stopping"),
    ],
)  # fmt: skip
def test_an_unknown_key_suggests_the_full_key(key: str, meant: str) -> None:
    message = error_message("seed: 0", f"{key}=3")
    assert message.endswith(f": unknown key; did you mean {meant}?")


@pytest.mark.parametrize("key", ["optimizer", "zzz", "training.zzz", "x" * 9000])
def test_an_unknown_key_near_to_none_lists_the_keys(key: str) -> None:
    assert ": unknown key; the keys here are " in error_message("seed: 0", f"{key}=3")


@pytest.mark.parametrize("sizes", ["784-30-10", "'784-30-10'", "[784, 30, 10]", "1024-10-10", "2020-12-31", "9-1"])
def test_sizes_may_be_written_as_they_are_printed(sizes: str) -> None:
    """Four digits, two and two are no date."""
    expected = [int(n) for n in re.findall("[0-9]+", sizes)]
    for config in (
        parse_config(f"network: {{sizes: {sizes}}}", "x"),
        parse_config("seed: 0", "x", [f"network.sizes={sizes}"]),
    ):
        assert config.network.sizes == expected
    assert Config.model_validate({"network": {"sizes": "784-30-10"}}).network.sizes == [784, 30, 10]


def test_a_recipe_or_a_path_is_read_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that names a recipe is the recipe, a Path is always a file."""
    monkeypatch.chdir(tmp_path)
    Path("my.yaml").write_text("seed: 3")
    Path("quickstart").write_text("seed: 4")
    assert read_config("my.yaml") == read_config(Path("my.yaml")) == Config(seed=3)
    assert read_config("quickstart", ["seed=7"]).seed == 7
    assert read_config("quickstart").data.source == "synthetic"
    assert read_config(Path("quickstart")).seed == read_config("./quickstart").seed == 4
    assert {f"{name}.yaml" for name in recipe_names()} == set(RECIPES)
    with pytest.raises(ConfigError, match=r"^quickstar: is neither a file nor a recipe; the recipes are 3blue1brown, "):
        read_config("quickstar")
    for missing in (Path("nowhere"), Path("mnist")):
        with pytest.raises(ConfigError, match=rf"^{missing}: there is no such file$"):
            read_config(missing)
    with pytest.raises(ConfigError, match=r"null (byte|character)"):
        read_config("a\0b")
    with pytest.raises(ConfigError, match=r"^recipe chain: cost: cross_entropy needs data.targets|^--set"):
        read_config("chain", ["data.targets=[[5]]", "cost=cross_entropy"])


def test_only_the_first_of_several_problems_is_shown() -> None:
    """The message ends with the number of the other problems."""
    assert error_message("sed: 0\ntraining: {epochs: 0}").endswith("(and 1 more)")


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(b"\x1f\x8b\x08\0\xff")
    with pytest.raises(ConfigError, match="byte 1 is not UTF-8 text"):
        read_config(file)
    file.write_bytes(b"seed: \0")
    with pytest.raises(ConfigError, match="not valid YAML"):
        read_config(file)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_encodings_other_than_utf_8_are_refused(encoding: str, tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes("seed: 1 # é\n".encode(encoding))
    with pytest.raises(ConfigError, match=r"is not UTF-8 text|not valid YAML"):
        read_config(file)


def test_a_file_may_declare_yaml_1_2() -> None:
    assert parse_config("%YAML 1.2\n---\nseed: 010", "x").seed == 10


def test_a_leading_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes("\ufeffseed: 3\n".encode())
    assert read_config(tmp_path / "x.yaml").seed == 3


def test_layer_numbers_may_be_written_in_hex_or_octal() -> None:
    config = parse_config("network: {sizes: [1, 1], init: {w: {0x1: [[0.5]]}, b: {0o1: [0.25]}}}", "x")
    assert config.plain()["network"]["init"] == {"w": {1: [[0.5]]}, "b": {1: [0.25]}}


def test_the_largest_allowed_file_is_handled_within_seconds() -> None:
    start = time.monotonic()
    error_message("network: {sizes: [" + "0," * 30_000 + "1]}")
    error_message("".join(f"k{i}: 1\n" for i in range(7000)))
    error_message("seed: " + "'" * 60_000)
    assert time.monotonic() - start < 30  # with time quadratic in the size it would take longer


def test_a_file_over_64_kb_is_refused_before_parsing(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(b"# " + b"x" * MAX_BYTES)
    with pytest.raises(ConfigError, match="larger than 64 KB"):
        read_config(file)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: it is not a regular file"):
        read_config(tmp_path)
