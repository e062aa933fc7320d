"""A run of training as a Keras script that its owner can read, run and change. Trains nothing itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netspec.backends.keras.module import emit_module
from netspec.backends.keras.rows import held_axes
from netspec.backends.keras.weights import reordered
from netspec.ops.embedding import Embed
from netspec.training import source
from netspec.training.examples import Examples

if TYPE_CHECKING:
    from netspec.shape import Shape
    from netspec.training.recipe import Recipe
    from netspec.training.task import Task
    from netspec.weights import Array

_SCRIPT = '''\
"""Trains {name} on the examples in {stem}.npz, and saves its weights as {stem}.weights.h5."""

{standard}from pathlib import Path

import keras
import numpy as np
{ops}
from {module} import {name}

HERE = Path(__file__).parent
{constants}

def load(part):
    """Inputs and targets of a part of the examples."""
    data = np.load(HERE / "{stem}.npz")
{loaded}

class Batches(keras.utils.PyDataset):
    """The training examples, in a new order each epoch."""

    def __init__(self, {inputs}, y):
        super().__init__()
        self.{inputs}, self.y = {inputs}, y
        self.shuffle(0)

    def __len__(self):
        return {steps}

    def __getitem__(self, index):
        batch = self.order[index * BATCH : (index + 1) * BATCH]
        return {batch}

    def shuffle(self, epoch, logs=None):
        """Take the order of an epoch."""
        generator = np.random.default_rng([SEED, 0, epoch])
        self.order = generator.permutation(len(self.y))
{factor}{rates}{decays}{subclass}

def train(model):
    """Train, and tell of each epoch."""
    batches = Batches(*load("train"))
{optimizer}\
    model.compile(
        optimizer,
        {loss},
        metrics=[{metric}],
    )
    return model.fit(
        batches,
        epochs=EPOCHS,
{held}\
        shuffle=False,
        verbose=2,
    )


def main():
    """Train a new network{and_test}."""
    keras.utils.set_random_seed(SEED)
{precision}\
    model = {name}()
    train(model)
{test}    model.save_weights(HERE / "{stem}.weights.h5")


if __name__ == "__main__":
    main()
'''

_ONE = {
    "inputs": "x",
    "loaded": '    return data[f"x_{part}"], data[f"y_{part}"]\n',
    "batch": "self.x[batch], self.y[batch]",
    "weighted": "self.x[batch], self.y[batch], CLASS_WEIGHTS[self.y[batch]]",
}
_SEVERAL = {
    "inputs": "inputs",
    "loaded": '    return [data[f"{name}_{part}"] for name in INPUTS], data[f"y_{part}"]\n',
    "batch": "tuple(x[batch] for x in self.inputs), self.y[batch]",
    "weighted": """(
            tuple(x[batch] for x in self.inputs),
            self.y[batch],
            CLASS_WEIGHTS[self.y[batch]],
        )""",
}
"""What differs between networks of one input and of several."""

_RATES = '''

class Rates(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate of each step."""

    def __init__(self):
        rates = [{rate} * factor(step) for step in range(EPOCHS * STEPS)]
        self.rates = ops.convert_to_tensor(rates, keras.config.floatx())

    def __call__(self, step):
        return ops.take(self.rates, ops.cast(step, "int32"))
'''

_DECAYS = '''

def decays(variable):
    """Whether it is a kernel: no bias, no scale of a norm."""
    return len(variable.shape) > 1 and variable.name != "bias"
'''

_SUBCLASS = '''

class {kind}(keras.optimizers.{kind}):
    """{kind} as PyTorch has it."""

    def update_step(self, gradient, variable, learning_rate):
{body}'''

_ROWS = """\
        # TensorFlow gives rows of an embedding, to be added up before they are squared.
        if hasattr(gradient, "dense_shape"):
            rows, places = gradient.values, gradient.indices
            gradient = ops.segment_sum(rows, places, variable.shape[0])
"""

_L2 = """\
        # The decay is a part of the gradient, and not of the loss.
"""

_MOMENTUM = """\
        # The momentum does not hold the learning rate, which changes.
        moving = self.momentums[self._get_variable_index(variable)]
        self.assign(moving, self.momentum * moving + gradient)
        rate = ops.cast(learning_rate, variable.dtype)
        self.assign_sub(variable, rate * {step})
"""

_EXCLUDED = """\
    others = [each for each in model.trainable_variables if not decays(each)]
    optimizer.exclude_from_weight_decay(others)
"""

_TEST = """\
    loss, {metric} = model.evaluate(*load("test"), BATCH, verbose=0)
    print(f"test: loss {{loss:.4f}}, {metric} {{{metric}:.4f}}")
"""

_LOSSES = {
    "cross-entropy": ("SparseCategoricalCrossentropy", "from_logits=True"),
    "bce": ("BinaryCrossentropy", "from_logits=True"),
    "mse": ("MeanSquaredError", ""),
    "mae": ("MeanAbsoluteError", ""),
    "huber": ("Huber", ""),
}
_METRICS = {
    "cross-entropy": 'SparseCategoricalAccuracy("accuracy")',
    "bce": 'BinaryAccuracy("accuracy", threshold=0.0)',
}


def examples_held(task: Task, examples: Examples) -> Examples:
    """The examples in the run's precision, with Keras's order of axes; whole numbers of inputs as int32."""

    def native(array: Array, shape: Shape) -> Array:
        held = reordered(array, shape.axes, held_axes(shape.axes))
        return held.astype("int32") if shape.dtype == "int" else held

    inputs = {
        node.name: native(examples.inputs[node.name], node.shape) for node in task.graph.inputs
    }
    targets = examples.targets
    if targets.dtype.kind == "f":
        targets = native(targets, task.objective.output)
    return Examples(inputs, targets).cast(task.recipe.precision)


def emit_script(task: Task, module: str, stem: str, has_test: bool) -> tuple[str, str]:
    """The script, and the file of the network that it imports as `module`.

    The examples are in a file `stem`.npz: `x_train`, `y_train`, and the same of `val` and `test` where there are
    any. Several inputs have their names in the place of `x`.
    """
    network, name = emit_module(task.graph)
    recipe, objective = task.recipe, task.objective
    pieces = dict(_ONE if len(task.graph.inputs) == 1 else _SEVERAL)
    if objective.class_weights is not None:
        pieces["batch"] = pieces["weighted"]
    call, option = _LOSSES[objective.loss]
    options = [option] * bool(option)
    if objective.class_weights is not None:
        options.append('reduction="mean_with_sample_weight"')
    subclass, steps = _subclass(task), _steps(task)
    metric = _METRICS.get(objective.loss, 'MeanAbsoluteError("mae")')
    script = _SCRIPT.format(
        name=name,
        stem=stem,
        module=module,
        **pieces,
        standard=source.imports({"math": recipe.schedule == "cosine" or "math." in steps}),
        ops="from keras import ops\n" if "ops." in subclass or not recipe.is_constant else "",
        constants=source.constants(task) + _class_weights(task),
        steps=steps,
        factor=source.factor(task),
        rates="" if recipe.is_constant else _RATES.format(rate=source.number(recipe.rate)),
        decays=_DECAYS if recipe.decay_rate and not recipe.decay_all else "",
        subclass=subclass,
        optimizer=_optimizer(recipe, bool(subclass)),
        loss=_call(f"keras.losses.{call}", options, 8),
        metric=f"keras.metrics.{metric}",
        held=_held(task),
        and_test=", test and keep it" if has_test else ", and keep it",
        precision=_precision(recipe),
        test=_TEST.format(metric=objective.metric) if has_test else "",
    )
    return script, network


def _class_weights(task: Task) -> str:
    weights = task.objective.class_weights
    if weights is None:
        return ""
    values = [repr(weight) for weight in weights]
    return f"{source.listed('CLASS_WEIGHTS', values, '[]', 'np.array')}\n"


def _steps(task: Task) -> str:
    """How many batches an epoch has, of which a last one may be too small."""
    if not task.recipe.is_constant:
        return "STEPS"
    order = task.order
    left_out = order.steps * order.batch < order.examples
    return "len(self.y) // BATCH" if left_out else "math.ceil(len(self.y) / BATCH)"


def _held(task: Task) -> str:
    """The arguments of `fit` about what is held out, and what is done between epochs."""
    recipe = task.recipe
    lines = []
    if task.val is not None:
        lines.append('validation_data=load("val"),')
    lines += ["callbacks=[", "    keras.callbacks.LambdaCallback(on_epoch_begin=batches.shuffle),"]
    if recipe.early_stopping is not None:
        lines.append("    keras.callbacks.EarlyStopping(")
        if recipe.min_delta:
            lines.append(f"        min_delta={source.number(recipe.min_delta)},")
        lines += ["        patience=PATIENCE,", "        restore_best_weights=True,", "    ),"]
    lines.append("],")
    return "".join(f"        {line}\n" for line in lines)


def _precision(recipe: Recipe) -> str:
    if recipe.precision == "float32":
        return ""
    return "".join(
        f'    keras.config.{what}("{recipe.precision}")\n'
        for what in ("set_floatx", "set_dtype_policy")
    )


def _kind(recipe: Recipe) -> str:
    if recipe.optimizer == "sgd":
        return "SGD"
    return "AdamW" if recipe.decoupled and recipe.decay_rate else "Adam"


def _optimizer(recipe: Recipe, own: bool) -> str:
    """The lines that make the optimizer. `own` is whether it is a class of the script."""
    constant = source.number(recipe.rate) if recipe.is_constant else "Rates()"
    options = [constant]
    if recipe.momentum:
        options.append(f"momentum={source.number(recipe.momentum)}")
        options += ["nesterov=True"] * recipe.nesterov
    if recipe.optimizer != "sgd":
        options.append("epsilon=1e-8")
    decoupled = bool(recipe.decoupled and recipe.decay_rate)
    if decoupled:
        options.append(f"weight_decay={source.number(recipe.decay_rate)}")
    if recipe.clip_norm is not None:
        options.append(f"global_clipnorm={source.number(recipe.clip_norm)}")
    func = _kind(recipe) if own else f"keras.optimizers.{_kind(recipe)}"
    line = f"    optimizer = {_call(func, options, 4, before=12)}\n"
    return line + (_EXCLUDED if decoupled and not recipe.decay_all else "")


def _call(func: str, options: list[str], indent: int, before: int = 0) -> str:
    """A call in a line that begins so far to the right, or with its arguments in the next; a comma may follow."""
    inner = ", ".join(options)
    if indent + before + len(f"{func}({inner}),") <= 88:
        return f"{func}({inner})"
    space = " " * indent
    return f"{func}(\n{space}    {inner}\n{space})"


def _subclass(task: Task) -> str:
    """The optimizer of the script's own, where Keras's means something else."""
    recipe, body = task.recipe, ""
    if recipe.optimizer != "sgd" and any(isinstance(node.op, Embed) for node in task.graph.nodes):
        body += _ROWS
    if recipe.decay_rate and not recipe.decoupled:
        added = f"gradient = gradient + {source.number(recipe.decay_rate)} * variable\n"
        only = "" if recipe.decay_all else "        if decays(variable):\n    "
        body += f"{_L2}{only}        {added}"
    if recipe.momentum and not recipe.is_constant:
        step = "(gradient + self.momentum * moving)" if recipe.nesterov else "moving"
        body += _MOMENTUM.format(step=step)
    elif body:
        body += "        super().update_step(gradient, variable, learning_rate)\n"
    return _SUBCLASS.format(kind=_kind(recipe), body=body) if body else ""
