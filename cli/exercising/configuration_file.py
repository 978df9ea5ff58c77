"""A sheet's network and examples as a configuration for `nn inspect-gradients` and `nn train`."""

from mnist_nn.exercises.sheet import Sheet

from .wording import origin


def as_configuration(sheet: Sheet) -> str:
    """Return the configuration as YAML. Training it for its one epoch is one step downhill."""
    problem = sheet.problem
    w = ", ".join(f"{l}: {rows}" for l, rows in problem.w.items())
    b = ", ".join(f"{l}: {row}" for l, row in problem.b.items())
    return f"""\
# Sheet {sheet.student} of `{origin(sheet)}`: {sheet.level.title.lower()}
seed: 0
dtype: float64
data:
  source: inline
  validation: 0
  inputs: {problem.inputs}
  targets: {problem.targets}
network:
  sizes: {list(problem.sizes)}
  init:
    w: {{{w}}}
    b: {{{b}}}
training:
  epochs: 1
  batch_size: {len(problem.inputs)}
  learning_rate: {problem.learning_rate or 1.0}
  schedule: constant
"""
