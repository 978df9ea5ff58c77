"""The documents cannot drift: they name everything there is, and what they show runs."""

import re
from importlib.resources import files

import click
import pytest
from conftest import ROOT, Command

import mnist_nn

if not (ROOT / "README.md").exists():
    pytest.skip("the documents are not beside the tests here", allow_module_level=True)

README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
COMMANDS = (ROOT / "cli" / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [
    file for folder in (".", "cli", "configs", "tests", "tests/benchmarks") for file in (ROOT / folder).glob("*.md")
]


def group() -> click.Group:
    from nn_cli.main import nn

    return nn


def test_the_readme_lists_every_command_and_option() -> None:
    for name, command in group().commands.items():
        assert f"`nn {name}" in COMMANDS, name
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert re.search(rf"`{parameter.opts[0]}[` ]", COMMANDS), f"{name} {parameter.opts[0]}"


def test_the_readme_lists_every_recipe() -> None:
    for file in files("nn_configs").iterdir():
        if file.name.endswith(".yaml"):
            assert f"`{file.name.removesuffix('.yaml')}`" in README, file.name


def test_the_readme_justifies_every_runtime_dependency() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for requirement in project["dependencies"]:
        name = re.split(r"[<>=]", requirement)[0]
        assert f"| {name} |" in CONTRIBUTING, name


def test_the_readme_mentions_every_public_name() -> None:
    for name in mnist_nn.__all__:
        assert re.search(
            rf"`{name}[`.]|^(from mnist_nn import|    eta_gradient = |cost, sgd).*\b{name}\b", README, re.M
        ), name


def test_functions_in_the_formula_table_exist() -> None:
    table = README.split("## Read these five files")[1].split("\n## ")[0]
    places = re.findall(r"\[`([\w.]+)`\]\((mnist_nn/\w+/\w+\.py)\)", table)
    assert len(places) >= 12
    for name, file in places:
        module = __import__(file.removesuffix(".py").replace("/", "."), fromlist=["_"])
        value = module
        for part in name.split("."):
            value = getattr(value, part)
        assert callable(value) or isinstance(value, property), name


def test_code_quoted_in_the_formula_table_is_in_its_file() -> None:
    table = README.split("## Read these five files")[1].split("\n## ")[0]
    rows = [row for row in table.splitlines() if row.startswith("|") and "mnist_nn/" in row]
    for row in rows:
        _, _, quoted, where, _ = re.split(r" \| |^\| | \|$", row)
        (file, *_) = re.findall(r"\((mnist_nn/\w+/\w+\.py)\)", where)
        code = (ROOT / file).read_text(encoding="utf-8")
        for line in re.findall(r"`([^`]+)`", quoted):
            assert line in code, f"{file}: {line}"


def test_the_readmes_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(example.splitlines()) <= 16
    exec(compile(example, "README.md", "exec"), {})
    assert "True" in capsys.readouterr().out


def test_the_readmes_transcripts_match_what_the_commands_print(nn: Command) -> None:
    """Trains the network that the README shows.

    Numbers are left out, because the last digits may differ on another machine.
    """

    def shape(text: str) -> list[str]:
        text = re.sub(r"[━█▁-▇◀▶]+|(all \S+ are )?labels? .*|read as .*|raised|lowered", "", text)
        lines = re.sub(r"[+-]?\d[\d.,e+-]*", "#", re.sub(r"\b[0-9a-f]{64}\b|runs/\S+", "@", text)).splitlines()
        return [
            " ".join(line.removesuffix("  best").split()) for line in lines if line != "…" and "misread" not in line
        ]

    train, inspect, _ = re.findall(r"```console\n\$ (nn .*?)```", README, re.DOTALL)
    for transcript in (train, inspect):  # the third one needs MNIST and minutes
        command, shown = transcript.split("\n", 1)
        outcome = nn(*command.split()[1:])
        assert outcome.code == 0
        printed = shape(outcome.err + outcome.out)
        for line in shape(shown):
            assert line in printed, line


def test_commands_in_the_readme_exist(nn: Command) -> None:
    commands = group().commands
    for document in DOCUMENTS:
        for line in re.findall(r"^\$ nn ([\w-]+)", document.read_text(encoding="utf-8"), re.MULTILINE):
            assert line in commands, f"{document}: {line}"


def test_contributing_lists_every_module() -> None:
    for folder in ("cli", "mnist_nn", "data_scripts"):
        for file in (ROOT / folder).rglob("*.py"):
            if file.name != "__init__.py":
                assert f"`{file.name}`" in CONTRIBUTING, f"{folder}/{file.name}"


def test_every_test_named_in_the_documents_exists() -> None:
    written = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests").glob("test_*.py"))
    for document in ("SECURITY.md", "tests/README.md"):
        text = (ROOT / document).read_text(encoding="utf-8")
        for name in re.findall(r"`(test_\w+)`", text):
            assert f"def {name}(" in written, f"{document}: {name}"
        for name in re.findall(r"`(test_\w+\.py)`", text):
            assert (ROOT / "tests" / name).exists(), f"{document}: {name}"


def test_relative_links_in_the_documents_work() -> None:
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for target, heading in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", text):
            file = document.parent / target if target else document
            assert file.exists(), f"{document}: {target}"
            if heading:
                headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.M)
                slugs = [re.sub(r"[^\w -]", "", line).lower().replace(" ", "-") for line in headings]
                assert heading in slugs, f"{document}: {target}#{heading}"
