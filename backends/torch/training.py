"""Training in PyTorch: a plain loop around an emitted module. What a run is, it is told (`netspec.training.task`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from netspec.backend import need
from netspec.backends.torch import distributed, memory
from netspec.backends.torch.live import build_module
from netspec.backends.torch.optimizers import hold, make_optimizer, take
from netspec.backends.torch.weights import load_into, read_from
from netspec.diagnostics import Diagnostic, SpecError
from netspec.training.order import stream

if TYPE_CHECKING:
    from torch import Tensor

    from netspec.training.examples import Examples, Objective
    from netspec.training.task import Task, Watch
    from netspec.weights import Array, Weights

torch = need("torch", "torch")
F = torch.nn.functional

Measure: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"
"""Of results and targets: one number, the mean over the examples."""


class TorchTrainer:
    """An emitted module, its loss and its optimizer: `netspec.training.task.Trainer`."""

    def __init__(self, task: Task, weights: Weights) -> None:
        recipe = task.recipe
        self._task = task
        self._device = torch.device(task.place.device)
        if self._device.type == "cuda" and not torch.cuda.is_available():
            raise SpecError(Diagnostic("no-device", "PyTorch finds no GPU here"))
        self._dtype = getattr(torch, recipe.precision)
        self._module = distributed.joined(build_module(task.graph, weights), task.place)
        self._module.to(self._device, self._dtype)
        on_cpu, single = self._device.type == "cpu", recipe.precision == "float32"
        self._last = on_cpu and single and task.has_kernels
        if self._last:
            memory.channels_last(self._module)
        self.load(weights)
        self._model = distributed.parallel(self._module, task.place)
        self._loss = _loss(task.objective, self._dtype, self._device)
        self._unweighted = _loss(
            task.objective._replace(class_weights=None), self._dtype, self._device
        )
        self._metric = _metric(task.objective)
        self._optimizer = make_optimizer(recipe, self._module, task.decayed)
        self._train = self._tensors(task.train)
        self._val = None if task.val is None else self._tensors(task.val)

    def fit(self, first: int, watch: Watch) -> None:
        """Train from this epoch on. What an epoch draws follows from the seed and its number."""
        task, recipe = self._task, self._task.recipe
        devices = [self._device] if self._device.type == "cuda" else []
        with memory.kept(), torch.random.fork_rng(devices):
            for epoch in range(first, recipe.epochs):
                torch.manual_seed(stream(recipe.seed, epoch, task.place.rank))
                measures = self._epoch(epoch, watch)
                if self._val is not None:
                    held = self._evaluate(self._val)
                    measures |= {f"val_{name}": value for name, value in held.items()}
                if not watch.after_epoch(epoch, measures):
                    return

    def _epoch(self, epoch: int, watch: Watch) -> dict[str, float]:
        """One pass over the examples: loss and metric, as means over them while they were learned from."""
        task = self._task
        order, recipe, place = task.order, task.recipe, task.place
        rates = [] if recipe.is_constant else recipe.rates(order.steps)[epoch * order.steps :]
        learned = [weight for weight in self._module.parameters() if weight.requires_grad]
        inputs, targets = self._train
        totals = torch.zeros(2, dtype=torch.float64, device=self._device)
        self._model.train()
        numbers = torch.from_numpy(order.epoch(epoch)).to(self._device)
        for step, batch in enumerate(numbers.split(recipe.batch)):
            if rates:
                for group in self._optimizer.param_groups:
                    group["lr"] = rates[step]
            size, share = len(batch), 1.0
            if place.world > 1:
                batch, share = distributed.share(batch, place, targets, task.objective)
            outputs, wanted = self._model(*self._select(inputs, batch)), targets[batch]
            loss = self._loss(outputs, wanted)
            self._optimizer.zero_grad()
            (loss if share == 1 else loss * share).backward()
            if recipe.clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(learned, recipe.clip_norm)
            self._optimizer.step()
            totals[0] += loss.detach() * (size * share / place.world)
            count = len(range(place.rank, size, place.world))
            totals[1] += self._metric(outputs.detach(), wanted) * count
            if watch.steps:
                watch.after_step()
        return self._named(totals, min(order.examples, order.steps * recipe.batch))

    def evaluate(self, examples: Examples) -> dict[str, float]:
        """Loss and metric in `eval` mode, without weights of classes."""
        return self._evaluate(self._tensors(examples))

    def _evaluate(self, tensors: tuple[list[Tensor], Tensor]) -> dict[str, float]:
        inputs, targets = tensors
        place = self._task.place
        totals = torch.zeros(2, dtype=torch.float64, device=self._device)
        mine = torch.arange(place.rank, len(targets), place.world, device=self._device)
        self._module.eval()
        with torch.inference_mode():
            for batch in mine.split(4 * self._task.recipe.batch):
                outputs, wanted = self._module(*self._select(inputs, batch)), targets[batch]
                totals[0] += self._unweighted(outputs, wanted) * len(batch)
                totals[1] += self._metric(outputs, wanted) * len(batch)
        return self._named(totals, len(targets))

    def _named(self, totals: Tensor, count: int) -> dict[str, float]:
        """Sums over the examples of all processes as means."""
        loss, metric = (distributed.summed(totals, self._task.place) / count).tolist()
        return {"loss": loss, self._task.objective.metric: metric}

    def _tensors(self, examples: Examples) -> tuple[list[Tensor], Tensor]:
        """The examples as tensors; images, where that is faster, with the channels last."""
        inputs = [torch.from_numpy(examples.inputs[node.name]) for node in self._task.graph.inputs]
        held = [self._moved(x) for x in inputs]
        targets = self._moved(torch.from_numpy(examples.targets))
        if self._last:
            held = [memory.held(x) for x in held]
        return held, targets

    def _moved(self, tensor: Tensor) -> Tensor:
        """On the device, floats in the run's precision."""
        return tensor.to(self._device, self._dtype if tensor.is_floating_point() else None)

    def _select(self, inputs: Iterable[Tensor], batch: Tensor) -> list[Tensor]:
        """A batch of each input, in the spec's order of axes."""
        found = [x.index_select(0, batch) for x in inputs]
        return [memory.given(x) for x in found] if self._last else found

    def weights(self) -> dict[str, Array]:
        """Copies of the module's tensors."""
        return read_from(self._module, self._task.graph)

    def load(self, weights: Weights) -> None:
        """Copy these into the module."""
        load_into(self._module, self._task.graph, weights)

    def state(self) -> dict[str, Array]:
        """What the optimizer holds of each parameter."""
        return hold(self._optimizer)

    def restore(self, state: Mapping[str, Array]) -> None:
        """Give it back."""
        take(self._optimizer, state)


def _loss(objective: Objective, dtype: object, device: object) -> Measure:
    """The loss of PyTorch's that is meant, over logits."""
    if objective.loss != "cross-entropy":
        return _LOSSES[objective.loss]
    weights = objective.class_weights
    tensor = None if weights is None else torch.tensor(weights, dtype=dtype, device=device)
    axis = 1 + objective.output.axes.index("c")
    if axis == 1:
        return lambda outputs, labels: F.cross_entropy(outputs, labels, tensor)
    return lambda outputs, labels: F.cross_entropy(outputs.movedim(axis, 1), labels, tensor)


_LOSSES: dict[str, Measure] = {
    "bce": F.binary_cross_entropy_with_logits,
    "mse": F.mse_loss,
    "mae": F.l1_loss,
    "huber": F.huber_loss,
}


def _metric(objective: Objective) -> Measure:
    """The part of the labels that is right, or the mean absolute error."""
    if objective.metric == "mae":
        return _LOSSES["mae"]
    if objective.loss == "bce":
        return lambda outputs, targets: ((outputs > 0) == (targets > 0.5)).double().mean()
    axis = 1 + objective.output.axes.index("c")
    return lambda outputs, labels: (outputs.argmax(axis) == labels).double().mean()
