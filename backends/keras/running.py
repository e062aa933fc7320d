"""A model as functions, on each of Keras's backends: inference, a pass forward and backward. Knows no graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

from netspec.backend import need
from netspec.weights import Array

keras = need("keras", "keras")


UNTRACED = 3
"""Calls of a session before TensorFlow makes a graph of its model: as many as a verification needs."""


class Pulled(NamedTuple):
    """What a pass gave: results, and the gradients of the variables and of the inputs of floats.

    The loss is the sum over all results of `result * cotangent`. What it does not depend on has the gradient 0.
    """

    outputs: list[Any]
    variables: list[Any]
    feeds: list[Any]


_Pass: TypeAlias = Callable[[Any, Sequence[Any], Sequence[Any], Sequence[Array]], Pulled]


def pull_back(
    model: Any, variables: Sequence[Any], feeds: Sequence[Array], cotangents: Sequence[Array]
) -> Pulled:
    """A pass in training mode; the model's statistics move."""
    step: _Pass = _BY_BACKEND[keras.backend.backend()]
    return step(
        model, variables, [keras.ops.convert_to_tensor(x, x.dtype) for x in feeds], cotangents
    )


def inference(model: Any) -> Callable[..., list[Any]]:
    """The model as a function of its inputs, arrays: one graph for all batch sizes, or one program for each."""
    if keras.backend.backend() == "torch":
        return lambda *feeds: _results(model, feeds, training=False)
    if keras.backend.backend() == "jax":
        import jax

        run = jax.jit(lambda state, feeds: _stateless(model, state, feeds, training=False)[0])
        return lambda *feeds: run(_state(model), feeds)
    import tensorflow as tf

    traced = tf.function(lambda *feeds: _results(model, feeds, training=False), autograph=False)
    graph = traced.get_concrete_function(
        *(tf.TensorSpec(each.shape, each.dtype) for each in model.inputs)
    )
    return lambda *feeds: graph(*map(tf.constant, feeds))


def predictor(model: Any) -> Callable[..., list[Any]]:
    """As `inference`, for what is perhaps called a few times: TensorFlow runs it layer by layer at first.

    To make the graph takes the time of about seven such runs, for a thousand blocks a minute.
    """
    return _Patient(model) if keras.backend.backend() == "tensorflow" else inference(model)


class _Patient:
    """A model that becomes a graph when it is called often."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._calls = 0
        self._graph: Callable[..., list[Any]] | None = None

    def __call__(self, *feeds: Array) -> list[Any]:
        self._calls += 1
        if self._calls <= UNTRACED:
            tensors = [keras.ops.convert_to_tensor(each, each.dtype) for each in feeds]
            return _results(self._model, tensors, training=False)
        self._graph = self._graph or inference(self._model)
        return self._graph(*feeds)


def _results(model: Any, feeds: Sequence[Any], training: bool) -> list[Any]:
    results = model(_one_or_list(feeds), training=training)
    return results if isinstance(results, list) else [results]


def _one_or_list(feeds: Sequence[Any]) -> Any:
    return feeds[0] if len(feeds) == 1 else list(feeds)


def _state(model: Any) -> tuple[list[Any], list[Any]]:
    """The values of what is learned, and of what moves."""
    kinds = (model.trainable_variables, model.non_trainable_variables)
    learned, moving = ([each.value for each in variables] for variables in kinds)
    return learned, moving


def _stateless(
    model: Any, state: tuple[list[Any], list[Any]], feeds: Sequence[Any], training: bool
) -> tuple[list[Any], list[Any]]:
    """The results for given values of the variables, and what the moving ones become."""
    results, moved = model.stateless_call(*state, _one_or_list(feeds), training=training)
    return results if isinstance(results, list) else [results], moved


def _loss(outputs: Sequence[Any], cotangents: Sequence[Array]) -> Any:
    pairs = zip(outputs, cotangents, strict=True)
    return sum(
        keras.ops.sum(value * keras.ops.convert_to_tensor(by, by.dtype)) for value, by in pairs
    )


def _floats(feeds: Sequence[Any]) -> list[int]:
    return [i for i, x in enumerate(feeds) if keras.backend.is_float_dtype(x.dtype)]


def _tensorflow(
    model: Any, variables: Sequence[Any], feeds: Sequence[Any], cotangents: Sequence[Array]
) -> Pulled:
    import tensorflow as tf

    floats = [feeds[i] for i in _floats(feeds)]
    with tf.GradientTape() as tape:
        tape.watch(floats)
        outputs = _results(model, feeds, training=True)
        loss = _loss(outputs, cotangents)
    sources = ([variable.value for variable in variables], floats)
    zero = tf.UnconnectedGradients.ZERO
    return Pulled(outputs, *tape.gradient(loss, sources, unconnected_gradients=zero))


def _jax(
    model: Any, variables: Sequence[Any], feeds: Sequence[Any], cotangents: Sequence[Array]
) -> Pulled:
    import jax

    places, (learned, moving) = _floats(feeds), _state(model)

    def loss(learned: list[Any], floats: list[Any], moving: list[Any]) -> tuple[Any, Any]:
        given = list(feeds)
        for place, value in zip(places, floats, strict=True):
            given[place] = value
        outputs, moved = _stateless(model, (learned, moving), given, training=True)
        return _loss(outputs, cotangents), (outputs, moved)

    step = jax.jit(jax.grad(loss, (0, 1), has_aux=True))
    (by_learned, by_floats), (outputs, moved) = step(learned, [feeds[i] for i in places], moving)
    for variable, value in zip(model.non_trainable_variables, moved, strict=True):
        variable.assign(value)
    found = dict(zip(map(id, model.trainable_variables), by_learned, strict=True))
    return Pulled(outputs, [found[id(each)] for each in variables], by_floats)


def _torch(
    model: Any, variables: Sequence[Any], feeds: Sequence[Any], cotangents: Sequence[Array]
) -> Pulled:
    import torch

    floats = [feeds[i].requires_grad_() for i in _floats(feeds)]
    outputs = _results(model, feeds, training=True)
    sources = [*(each.value for each in variables), *floats]
    loss = _loss(outputs, cotangents)
    if loss.requires_grad:
        found = list(torch.autograd.grad(loss, sources, materialize_grads=True))
    else:  # of constants alone
        found = [torch.zeros_like(each) for each in sources]
    return Pulled(outputs, found[: len(variables)], found[len(variables) :])


_BY_BACKEND: dict[str, _Pass] = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
