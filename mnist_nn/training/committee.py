"""A committee: several networks that answer together, by the average of their outputs.

U. Meier, D. C. Cireşan, L. M. Gambardella, J. Schmidhuber: Better digit recognition with a committee of simple neural
nets. International Conference on Document Analysis and Recognition, 2011.
"""

import numpy as np

from ..chapter.activation import Array
from ..examples.dataset import Examples, Labels, classify
from .evaluation import Classification, count_answers, number_of_classes


class Committee:
    """The average (1/n) Σ_i a_i of the outputs a_i of n networks, on the same examples.

    Only the sum is kept, in double precision. So a committee of any size takes the memory of one network's outputs.
    The networks may see their inputs differently, such as deslanted; what counts is that the examples are the same.
    """

    def __init__(self, examples: Examples) -> None:
        """Begin with no network. Of the examples only the labels are kept."""
        self.labels = examples.labels
        self.n = 0
        self._sum = np.zeros(examples.targets.T.shape)

    @np.errstate(all="ignore")  # infinite and NaN values show in the result
    def add(self, a: Array) -> None:
        """Take in one more network by its outputs a^(L), shape (n_L, N). Raises ValueError for another shape."""
        if a.shape != self._sum.shape:
            raise ValueError(f"outputs of shape {a.shape} do not fit a committee with outputs {self._sum.shape}")
        self._sum += a
        self.n += 1

    @property
    def outputs(self) -> Array:
        """The average of the outputs, shape (n_L, N). Raises ValueError for a committee without networks."""
        if not self.n:
            raise ValueError("a committee needs one network or more")
        return self._sum / self.n

    @property
    def answers(self) -> Labels:
        """The class that the committee assigns to each example, shape (N,). Raises ValueError like `outputs`."""
        return classify(self.outputs)

    def evaluate(self) -> Classification:
        """Count the committee's answers.

        There is no cost, because each network may have been trained with another one. Raises ValueError like `outputs`.
        """
        return Classification(count_answers(self.labels, self.answers, number_of_classes(len(self._sum))))
