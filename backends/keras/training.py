"""Training in Keras: `fit`, with a callback. What a run is, it is told (`netspec.training.task`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from netspec.backend import need
from netspec.backends.keras.batches import Batches
from netspec.backends.keras.live import build_model, in_precision
from netspec.backends.keras.optimizers import make_optimizer
from netspec.backends.keras.script import examples_held
from netspec.backends.keras.weights import load_into, slots
from netspec.training.order import stream
from netspec.weights import Array, Weights, np

if TYPE_CHECKING:
    from netspec.training.examples import Examples
    from netspec.training.task import Task, Watch

keras: Any = need("keras", "keras")


class KerasTrainer:
    """An emitted model, compiled: `netspec.training.task.Trainer`."""

    def __init__(self, task: Task, weights: Weights) -> None:
        recipe = task.recipe
        self._task = task
        self._model = build_model(task.graph, weights, recipe.precision)
        self._slots = slots(self._model, task.graph)
        decayed = [v for slot in self._slots if slot.name in task.decayed for v in slot.variables]
        with in_precision(recipe.precision):
            self._optimizer = make_optimizer(recipe, task.order.steps, self._model, decayed)
            loss, metric = _LOSSES[task.objective.loss], _METRICS[task.objective.loss]
            self._model.compile(
                self._optimizer,
                loss(reduction="mean_with_sample_weight"),
                metrics=[metric(name=task.objective.metric)],
            )

    def fit(self, first: int, watch: Watch) -> None:
        """Keras's own, from this epoch on."""
        task, recipe = self._task, self._task.recipe
        inputs, targets = self._arrays(task.train)
        arrays = [inputs, targets]
        if task.objective.class_weights is not None:
            arrays.append(np.array(task.objective.class_weights, recipe.precision)[targets])
        batches = Batches(task.order, tuple(arrays))
        teller = _StepTeller if watch.steps else _Teller
        with in_precision(recipe.precision):
            self._model.fit(
                batches.source,
                epochs=recipe.epochs,
                initial_epoch=first,
                validation_data=None if task.val is None else self._arrays(task.val),
                validation_batch_size=4 * recipe.batch,
                callbacks=[teller(task, batches, watch)],
                shuffle=False,
                verbose=0,
            )

    def evaluate(self, examples: Examples) -> dict[str, float]:
        """Loss and metric in inference mode, without weights of classes."""
        inputs, targets = self._arrays(examples)
        with in_precision(self._task.recipe.precision):
            found = self._model.evaluate(
                inputs, targets, 4 * self._task.recipe.batch, verbose=0, return_dict=True
            )
        return {name: float(found[name]) for name in ("loss", self._task.objective.metric)}

    def _arrays(self, examples: Examples) -> tuple[list[Array] | Array, Array]:
        """Inputs and targets as Keras takes them; one input is not a list."""
        held = examples_held(self._task, examples)
        inputs = [held.inputs[node.name] for node in self._task.graph.inputs]
        return inputs if len(inputs) > 1 else inputs[0], held.targets

    def weights(self) -> dict[str, Array]:
        """Copies of the model's variables, canonical."""
        return {slot.name: slot.to_canonical() for slot in self._slots}

    def load(self, weights: Weights) -> None:
        """Assign these to the model's variables."""
        load_into(self._model, self._task.graph, weights)

    def state(self) -> dict[str, Array]:
        """The optimizer's variables, by their numbers."""
        variables = self._optimizer.variables
        return {str(i): keras.ops.convert_to_numpy(each) for i, each in enumerate(variables)}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Assign them again."""
        for i, variable in enumerate(self._optimizer.variables):
            variable.assign(state[str(i)])


class _Teller(keras.callbacks.Callback):  # type: ignore[misc]  # Keras is not followed
    """Tells of the run, stops it, and gives each epoch its order of examples and its dropout."""

    def __init__(self, task: Task, batches: Batches, watch: Watch) -> None:
        super().__init__()
        self._task = task
        self._batches = batches
        self._watch = watch

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:  # noqa: ARG002
        self._batches.begin(epoch)
        generators = (v for v in self.model.variables if v.path.endswith("seed_generator_state"))
        for i, state in enumerate(generators):
            drawn = stream(self._task.recipe.seed, epoch, i)
            state.assign(np.array([drawn >> 32, drawn & 0x7FFFFFFF], state.dtype))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        names = ("loss", self._task.objective.metric)
        found = logs or {}
        measures = {
            name: float(found[name])
            for name in (*names, *(f"val_{name}" for name in names))
            if name in found
        }
        if not self._watch.after_epoch(epoch, measures):
            self.model.stop_training = True


class _StepTeller(_Teller):
    """Tells of every step, too: Keras prepares what it says of a step only where somebody listens."""

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:  # noqa: ARG002
        self._watch.after_step()


def _over_logits(loss: Any) -> Any:
    return lambda **options: loss(from_logits=True, **options)


_LOSSES = {
    "cross-entropy": _over_logits(keras.losses.SparseCategoricalCrossentropy),
    "bce": _over_logits(keras.losses.BinaryCrossentropy),
    "mse": keras.losses.MeanSquaredError,
    "mae": keras.losses.MeanAbsoluteError,
    "huber": keras.losses.Huber,
}
_METRICS = {
    "cross-entropy": keras.metrics.SparseCategoricalAccuracy,
    "bce": lambda name: keras.metrics.BinaryAccuracy(name, threshold=0.0),
    "mse": keras.metrics.MeanAbsoluteError,
    "mae": keras.metrics.MeanAbsoluteError,
    "huber": keras.metrics.MeanAbsoluteError,
}
