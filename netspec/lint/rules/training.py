"""Rules about what trains badly: batch norm beside biases and noise, and too much of the noise."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.diagnostics import Edit, Fix, Note
from netspec.language import tree
from netspec.lint.rule import Finding, rule
from netspec.lint.subject import Instance, Place, Subject
from netspec.source import Span

LINEAR = ("conv", "conv_transpose", "dense")
"""Ops whose bias is one number for each channel."""
NOISE = ("dropout", "spatial_dropout", "alpha_dropout")
HIGHEST_RATE = 0.8


def only_readers(instance: Instance, kind: str) -> list[Instance]:
    """All that use a value, if they are of one kind and nobody else sees it; else nothing."""
    readers = instance.readers
    same = all(reader.op.kind == kind for reader in readers)
    return readers if same and not instance.is_result else []


def note_at(subject: Subject, instance: Instance, words: str) -> tuple[Note, ...]:
    """A note at another step, where it stands in the same file."""
    place = subject.place(instance.position)
    return () if place is None else (Note(words, place.step.name.span),)


@rule(
    "bias-before-batch-norm",
    family="training",
    summary="a bias is added that the batch norm after it takes away again",
    why="Batch norm subtracts each channel's mean, and a bias is part of that mean: it changes no output, "
    "gets no gradient, and the norm's own shift does its work. It costs parameters and an addition, and "
    "it keeps a checkpoint from being exchanged with one of a network that was written without it. Only "
    "a norm that is called by its name, and not in an `if` of its own, counts: where a variable stands "
    "for it, write `bias=(norm == none)`.",
    bad="input 3 32 32\nconv 16 3 -> bn -> relu\n",
    good="input 3 32 32\nconv 16 3 bias=false -> bn -> relu\n",
    fixable=True,
)
def _bias_before_batch_norm(subject: Subject) -> Iterator[Finding]:
    def norm_behind(place: Place, instance: Instance) -> Instance | None:
        if instance.op.kind not in LINEAR or instance.field("bias", None) is not True:
            return None
        norms = only_readers(instance, "bn")
        certain = all(subject.is_certain(place, norm) for norm in norms)
        return norms[0] if norms and certain else None

    for place, instance, norm in subject.steps(norm_behind):
        yield Finding(
            f"`{instance.op.kind}` adds a bias that the batch norm after it subtracts again",
            place.step.name.span,
            help="write `bias=false`",
            notes=note_at(subject, norm, "here its mean is subtracted"),
            fix=_without_bias(place, instance),
        )


def _without_bias(place: Place, instance: Instance) -> Fix | None:
    argument = place.argument(instance.op, "bias")
    if argument is not None and not isinstance(argument.value, tree.Literal):
        return None
    if argument is not None:
        edit = Edit(argument.value.span, "false")
    elif not place.names(instance.op):
        return None
    else:
        source, _, end = place.head
        edit = Edit(Span(source, end, end), " bias=false")
    return Fix("write `bias=false`", (edit,))


@rule(
    "dropout-before-batch-norm",
    family="training",
    summary="batch norm learns its statistics from values that dropout has spread",
    why="In training, dropout zeroes some values and scales the others up, which leaves the mean and raises "
    "the variance. Batch norm learns that larger variance, and at inference, where dropout is gone, "
    "divides by it: the two disagree on what a normal value is (Li et al., 2019, Understanding the "
    "Disharmony between Dropout and Batch Normalization by Variance Shift).",
    bad="input 16\ndense 32 bias=false -> dropout 0.5 -> bn -> relu -> dense 1\n",
    good="input 16\ndense 32 bias=false -> bn -> relu -> dropout 0.5 -> dense 1\n",
)
def _dropout_before_batch_norm(subject: Subject) -> Iterator[Finding]:
    def norm_behind(_: Place, instance: Instance) -> Instance | None:
        if instance.op.kind not in NOISE or instance.field("rate", 0) == 0:
            return None
        return next(iter(only_readers(instance, "bn")), None)

    for place, _, norm in subject.steps(norm_behind):
        yield Finding(
            "batch norm directly after dropout learns a variance that inference does not have",
            place.step.name.span,
            help="put dropout after the norm and its activation",
            notes=note_at(subject, norm, "learns its statistics here"),
        )


@rule(
    "extreme-dropout-rate",
    family="training",
    summary=f"dropout zeroes more than {HIGHEST_RATE:g} of its input",
    why="The rate is the share of values that are dropped, as in PyTorch and Keras; TensorFlow 1 asked for "
    "the share that is kept, so that a rate of 0.9 is often a 0.1 that was copied from there. What is "
    "left of the values is scaled by 1 / (1 - rate), ten times for 0.9, and a rate of 1 leaves nothing at "
    "all.",
    bad="input 16\ndense 32 -> relu -> dropout 0.9 -> dense 1\n",
    good="input 16\ndense 32 -> relu -> dropout 0.1 -> dense 1\n",
)
def _extreme_dropout_rate(subject: Subject) -> Iterator[Finding]:
    def rate(_: Place, instance: Instance) -> float | None:
        found: float = instance.field("rate", 0)
        return found if instance.op.kind in NOISE and found > HIGHEST_RATE else None

    for place, instance, found in subject.steps(rate):
        argument = place.argument(instance.op, "rate")
        yield Finding(
            f"dropout of {found:g} leaves {1 - found:.3g} of the values",
            place.step.name.span if argument is None else argument.span,
            help=f"`rate` is the share that is dropped: was {1 - found:.3g} meant?",
        )
