"""Rules about layers that undo or repeat one another: softmax, activations, norms and dense layers in a row."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.diagnostics import Fix
from netspec.lint.edits import remove_step
from netspec.lint.rule import Finding, rule
from netspec.lint.rules.training import LINEAR, NOISE, note_at, only_readers
from netspec.lint.subject import Instance, Place, Subject

SOFTMAX = ("softmax", "log_softmax")
NORMS = ("bn", "ln", "gn", "instance_norm", "rms")
IDEMPOTENT = ("relu", "relu6")
ACTIVATIONS = (
    *IDEMPOTENT, "leaky_relu", "prelu", "elu", "selu", "celu", "sigmoid", "tanh", "silu", "gelu",
    "quick_gelu", "hardsigmoid", "hardswish", "hardtanh", "softsign", "mish", "relu_squared",
)  # fmt: skip
"""Functions that end a layer. Those that people compose, as softplus and tanh in mish, are not here."""


def behind(instance: Instance, passed: tuple[str, ...]) -> Iterator[Instance]:
    """The nodes that use a value, or use what the passed kinds of ops make of it."""
    waiting = instance.readers
    seen = set[str]()
    while waiting:
        reader = waiting.pop()
        if reader.node.name in seen:
            continue
        seen.add(reader.node.name)
        if reader.op.kind in passed:
            waiting += reader.readers
        else:
            yield reader


@rule(
    "softmax-before-layers",
    family="layers",
    summary="probabilities are fed into another layer",
    why="Softmax squeezes its input into numbers that sum to 1, whose gradients vanish where one of them is "
    "near 1. It ends a classifier, or weights what is multiplied with it, as in attention; between two "
    "layers it is nearly always a leftover of a head that was moved. Weighting (`mul`, `matmul`) is not "
    "reported.",
    bad="input 16\ndense 32 -> softmax -> dense 10\n",
    good="input 16\ndense 32 -> relu -> dense 10 -> softmax\n",
)
def _softmax_before_layers(subject: Subject) -> Iterator[Finding]:
    layers = (*LINEAR, *NORMS, *ACTIVATIONS, *SOFTMAX)

    def layer_behind(_: Place, instance: Instance) -> Instance | None:
        if instance.op.kind not in SOFTMAX or instance.is_result:
            return None
        found = behind(instance, (*NOISE, "flatten"))
        return next((reader for reader in found if reader.op.kind in layers), None)

    for place, instance, layer in subject.steps(layer_behind):
        yield Finding(
            f"`{instance.op.kind}` is followed by `{layer.op.kind}`",
            place.step.name.span,
            help=f"end the net with `{instance.op.kind}`, or use an activation such as `relu`",
            notes=note_at(subject, layer, "works on probabilities"),
        )


@rule(
    "softmax-of-one",
    family="layers",
    summary="softmax over a single value is always 1",
    why="Softmax divides by the sum over the features. Where there is one feature, that is a division by "
    "itself: the output is 1 whatever the input, and nothing before it learns. A single probability is a "
    "sigmoid's.",
    bad="input 16\ndense 1 -> softmax\n",
    good="input 16\ndense 1 -> sigmoid\n",
)
def _softmax_of_one(subject: Subject) -> Iterator[Finding]:
    def single(_: Place, instance: Instance) -> bool | None:
        axis = instance.field("axis", "c")
        if instance.op.kind not in SOFTMAX or axis not in instance.node.shape.axes:
            return None
        return True if instance.node.shape.axis(axis) == 1 else None

    for place, instance, _ in subject.steps(single):
        value = 1 if instance.op.kind == "softmax" else 0
        yield Finding(
            f"`{instance.op.kind}` over one value is always {value}",
            place.step.name.span,
            help="use `sigmoid` for one probability, or two classes",
        )


@rule(
    "stacked-activations",
    family="layers",
    summary="an activation works on the output of another one",
    why="The second one sees only what the first leaves over: a sigmoid behind a relu never falls below one "
    "half, a softmax behind a relu cannot tell negative scores apart, and a relu behind a relu does "
    "nothing. Usually one was added where a layer or a block had its own already.",
    bad="input 16\ndense 32 -> relu -> relu -> dense 10\n",
    good="input 16\ndense 32 -> relu -> dense 10\n",
    fixable=True,
)
def _stacked_activations(subject: Subject) -> Iterator[Finding]:
    def activation_before(_: Place, instance: Instance) -> Instance | None:
        if instance.op.kind not in (*ACTIVATIONS, *SOFTMAX):
            return None
        (source,) = instance.sources
        return source if source.op.kind in ACTIVATIONS else None

    for place, instance, source in subject.steps(activation_before):
        same = instance.op == source.op and instance.op.kind in IDEMPOTENT
        plain = place.names(instance.op) and place.step.label is None
        removable = same and plain and subject.is_certain(place, source)
        edit = remove_step(place.pipeline, place.step) if removable else None
        yield Finding(
            f"`{instance.op.kind}` directly after `{source.op.kind}`",
            place.step.name.span,
            help="keep one of them",
            notes=note_at(subject, source, "is applied first"),
            fix=edit and Fix(f"remove `{place.step.name.name}`", (edit,)),
        )


@rule(
    "stacked-linear-layers",
    family="layers",
    summary="two dense layers without a nonlinearity between them are one",
    why="A product of two matrices is a matrix: without an activation between them, two dense layers compute "
    "what one does, with more parameters. A narrow layer between two wider ones is meant (a factorised or "
    "low-rank map) and is not reported.",
    bad="input 16\ndense 64 -> dense 10\n",
    good="input 16\ndense 64 -> relu -> dense 10\n",
)
def _stacked_linear_layers(subject: Subject) -> Iterator[Finding]:
    def dense_behind(_: Place, instance: Instance) -> Instance | None:
        if instance.op.kind != "dense" or instance.is_result:
            return None
        found = list(behind(instance, NOISE))
        if not found or any(reader.op.kind != "dense" for reader in found):
            return None
        if any(reader.is_result for reader in instance.readers if reader.op.kind in NOISE):
            return None
        inner = instance.node.shape.axis("c")
        outer = [instance.shapes[0].axis("c"), *(each.node.shape.axis("c") for each in found)]
        return found[0] if inner >= min(outer) else None

    for place, _, following in subject.steps(dense_behind):
        yield Finding(
            "two dense layers in a row compute what one does",
            place.step.name.span,
            help="put an activation between them, such as `relu`",
            notes=note_at(subject, following, "nothing bends the values before this one"),
        )


@rule(
    "stacked-norms",
    family="layers",
    summary="a norm works on the output of the same norm",
    why="What has been normalised is normal: the second norm finds a mean of 0 and a variance of 1, up to the "
    "first one's own scale and shift, which it takes away again. Usually a block brings a norm that was "
    "also written before it.",
    bad="input 3 8 8\nbn -> bn -> conv 8 3\n",
    good="input 3 8 8\nbn -> conv 8 3\n",
)
def _stacked_norms(subject: Subject) -> Iterator[Finding]:
    def norm_behind(_: Place, instance: Instance) -> Instance | None:
        if instance.op.kind not in NORMS:
            return None
        return next(iter(only_readers(instance, instance.op.kind)), None)

    for place, instance, norm in subject.steps(norm_behind):
        yield Finding(
            f"`{instance.op.kind}` directly before `{norm.op.kind}`",
            place.step.name.span,
            help="keep one of them",
            notes=note_at(subject, norm, "normalises again"),
        )


@rule(
    "equal-branches",
    family="layers",
    summary="two branches are the same tensor",
    why="`max` and `mean` of equal branches are the branch itself, `sub` is zero, `add` doubles and `concat` "
    "repeats it: what was meant to happen on one of the branches is missing. A square (`mul { @ | @ }`) "
    "is not reported.",
    bad="input 3 8 8\nadd { @ | @ } -> relu\n",
    good="input 3 8 8\nadd { @ | conv 3 3 padding=1 } -> relu\n",
)
def _equal_branches(subject: Subject) -> Iterator[Finding]:
    def twice(_: Place, instance: Instance) -> int | None:
        if instance.op.kind not in ("add", "sub", "max", "min", "mean", "concat"):
            return None
        seen = set[str]()
        for number, name in enumerate(instance.node.inputs, 1):
            if name in seen:
                return number
            seen.add(name)
        return None

    for place, instance, number in subject.steps(twice):
        first = instance.node.inputs.index(instance.node.inputs[number - 1]) + 1
        yield Finding(
            f"branches {first} and {number} of `{place.step.name.name}` are the same tensor",
            place.step.name.span,
            help="an empty branch, or one whose `if` takes no way, is the current tensor itself",
        )
