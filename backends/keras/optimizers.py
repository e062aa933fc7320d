"""The recipe's optimizer as Keras's, with PyTorch's formulas where the two differ. Knows no network."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import log
from typing import TYPE_CHECKING, Any

from netspec.backend import need

if TYPE_CHECKING:
    from netspec.training.recipe import Recipe

keras: Any = need("keras", "keras")
ops = keras.ops


def make_optimizer(recipe: Recipe, steps: int, model: Any, decayed: Collection[Any]) -> Any:
    """Adam or SGD with the recipe's schedule and decay, built for the model's variables."""
    rate = recipe.rate if recipe.is_constant else Rates(recipe.rates(steps))
    options = {
        "learning_rate": rate,
        "global_clipnorm": recipe.clip_norm,
        "weight_decay": (recipe.decay_rate or None) if recipe.decoupled else None,
    }
    if recipe.optimizer == "sgd":
        optimizer: Any = Sgd(momentum=recipe.momentum, nesterov=recipe.nesterov, **options)
    else:
        optimizer = Adam(epsilon=1e-8, **options)
    if recipe.decay_rate:
        ids = set(map(id, decayed))
        others = [each for each in model.trainable_variables if id(each) not in ids]
        optimizer.exclude_from_weight_decay(others)
        optimizer.l2 = 0.0 if recipe.decoupled else recipe.decay_rate
    optimizer.build(model.trainable_variables)
    return optimizer


class Rates(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]  # Keras is not followed
    """The learning rate of each step, from a table."""

    def __init__(self, rates: Sequence[float]) -> None:
        self._rates = ops.convert_to_tensor(rates, keras.config.floatx())

    def __call__(self, step: Any) -> Any:
        """The rate of a step, from 0."""
        return ops.take(self._rates, ops.cast(step, "int32"))


class Adam(keras.optimizers.Adam):  # type: ignore[misc]
    """Adam whose epsilon is added after the bias is corrected, and L2 decay that is no part of the loss.

    Keras takes the powers of the betas in the variable's precision, which in float32 costs the first steps five of
    their digits.
    """

    l2 = 0.0

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Of one variable."""
        index = self._get_variable_index(variable)
        mean, square = self._momentums[index], self._velocities[index]
        gradient = _with_l2(self, gradient, variable)
        self.assign_add(mean, (gradient - mean) * (1 - self.beta_1))
        self.assign_add(square, (ops.square(gradient) - square) * (1 - self.beta_2))
        step = ops.cast(self.iterations + 1, variable.dtype)
        first, second = (-ops.expm1(step * log(beta)) for beta in (self.beta_1, self.beta_2))
        rate = ops.cast(learning_rate, variable.dtype) / first
        spread = ops.sqrt(square) / ops.sqrt(second) + self.epsilon
        self.assign_sub(variable, rate * mean / spread)


class Sgd(keras.optimizers.SGD):  # type: ignore[misc]
    """SGD whose momentum does not hold the learning rate, and L2 decay that is no part of the loss."""

    l2 = 0.0

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Of one variable."""
        gradient = _with_l2(self, gradient, variable)
        if self.momentum:
            moving = self.momentums[self._get_variable_index(variable)]
            self.assign(moving, moving * self.momentum + gradient)
            gradient = gradient + moving * self.momentum if self.nesterov else moving
        self.assign_sub(variable, ops.cast(learning_rate, variable.dtype) * gradient)


def _with_l2(optimizer: Any, gradient: Any, variable: Any) -> Any:
    """The gradient of loss and half the squared weight together, for a variable that decays.

    TensorFlow keeps the gradient of an embedding as rows, of which those of one token are to be added up
    before anything is squared.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        gradient = tf.convert_to_tensor(gradient)
    gradient = ops.cast(gradient, variable.dtype)
    if not optimizer.l2 or not optimizer._use_weight_decay(variable):
        return gradient
    return gradient + variable * optimizer.l2
