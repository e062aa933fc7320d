"""Rules about what reads like something and means nothing: idle steps, constant conditions, loops of one round."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.diagnostics import Edit, Fix
from netspec.language import tree
from netspec.lint.edits import remove_step
from netspec.lint.rule import Finding, rule
from netspec.lint.rules.training import NOISE
from netspec.lint.rules.windows import POOLS
from netspec.lint.subject import Instance, Place, Subject
from netspec.ops import find
from netspec.source import Span


@rule(
    "idle-step",
    family="clarity",
    summary="a step gives what it was given",
    why="A vector is flat already (`gap` and `dense` give vectors), a pool of 1 takes every element as it is, "
    "and dropout of 0 drops nothing. Such a step is a leftover, or its size is a slip. What depends on a "
    "variable is not reported.",
    bad="input 3 8 8\nconv 16 3 -> relu -> gap -> flatten -> dense 10\n",
    good="input 3 8 8\nconv 16 3 -> relu -> gap -> dense 10\n",
    fixable=True,
)
def _idle_step(subject: Subject) -> Iterator[Finding]:
    def reason(place: Place, instance: Instance) -> str | None:
        if not place.names(instance.op) or not place.has_plain_arguments:
            return None
        if instance.op.kind == "flatten" and not subject.is_certain(place, instance.sources[0]):
            return None
        return _why_idle(instance)

    for place, instance, why in subject.steps(reason):
        edit = remove_step(place.pipeline, place.step) if place.step.label is None else None
        yield Finding(
            f"`{instance.op.kind}` changes nothing: {why}",
            place.head,
            help="remove it",
            fix=edit and Fix(f"remove `{place.head.text}`", (edit,)),
        )


def _why_idle(instance: Instance) -> str | None:
    """Why an op is the identity, if it is."""
    op = instance.op
    if op.kind == "flatten" and instance.shapes[0] == instance.node.shape:
        return "its input is flat"
    if op.kind in NOISE and instance.field("rate") == 0:
        return "it drops nothing"
    if op.kind in POOLS:
        steps = {*instance.field("kernel"), *instance.field("stride")}
        return "its window is one element" if steps == {1} else None
    return None


@rule(
    "constant-condition",
    family="clarity",
    summary="a condition is written as `true` or `false`",
    why="It decides nothing: one of the two ways is never taken, and what stands there is not even checked. "
    "It is what remains of an experiment; a parameter of the net can be switched from the command line "
    "with `--set`.",
    bad="input 8\nif true { dense 32 -> relu } else { dense 64 }\ndense 10\n",
    good="net small(deep=true) {\n  input 8\n  if deep { dense 32 -> relu } else { dense 64 -> relu }\n  dense 10\n}\n",
    fixable=True,
)
def _constant_condition(subject: Subject) -> Iterator[Finding]:
    for node in subject.all_nodes():
        if isinstance(node, tree.If | tree.Choice) and isinstance(node.condition, tree.Literal):
            value = bool(node.condition.value)
            yield Finding(
                f"the condition is always {'true' if value else 'false'}",
                node.condition.span,
                help="keep the way that is taken, or make the condition a parameter",
                fix=_decided(node, value),
            )
        elif isinstance(node, tree.Invoke) and node.name.name == "residual":
            for argument in node.arguments:
                if isinstance(argument.value, tree.Literal):
                    yield Finding(
                        "the condition of this residual is always the same",
                        argument.span,
                        help="leave it out, or leave the residual out",
                    )


def _decided(node: tree.If | tree.Choice, value: bool) -> Fix | None:
    """The way that is taken in place of the condition and both ways. None if a comment or a label would go."""
    chosen: object
    if isinstance(node, tree.Choice):
        chosen = node.then if value else node.otherwise
    elif node.label is not None or isinstance(node.otherwise, tree.If):
        return None
    else:
        chosen = node.body if value else node.otherwise
    if chosen is None:
        return None
    span: Span = chosen.span
    if "#" in node.span.text.replace(span.text, "", 1):
        return None
    return Fix("keep what is taken", (Edit(node.span, span.text),))


@rule(
    "redundant-loop",
    family="clarity",
    summary="a `repeat` runs once or never",
    why="What is repeated once is just there, and what is repeated 0 times is not even checked. A loop with a "
    "label numbers its rounds, so that one round is a way to name it `layer1.0`, and is not reported.",
    bad="input 8\nrepeat 1 { dense 8 -> relu }\n",
    good="input 8\nrepeat 2 { dense 8 -> relu }\n",
    fixable=True,
)
def _redundant_loop(subject: Subject) -> Iterator[Finding]:
    for node in subject.all_nodes():
        if not isinstance(node, tree.Repeat) or not isinstance(node.rounds, tree.Literal):
            continue
        rounds = node.rounds.value
        if rounds == 0 or (rounds == 1 and node.label is None):
            head = Span(node.span.source, node.span.start, node.body.span.start)
            fix = Fix("write the steps alone", (Edit(head, ""),))
            yield Finding(
                f"the loop runs {'once' if rounds else 'never'}",
                node.rounds.span,
                help="write the steps without the loop" if rounds else "remove it",
                fix=fix if rounds and "#" not in head.text else None,
            )


@rule(
    "shadowed-op",
    family="clarity",
    summary="a block takes the name of an op",
    why="In its file the name means the block from then on, with other arguments and another result than "
    "everybody knows. Blocks of the standard library may be replaced on purpose, and that is not "
    "reported.",
    bad="block pool(k=2) { avgpool k }\nnet small { input 3 8 8 -> conv 8 3 -> pool }\n",
    good="block shrink(k=2) { avgpool k }\nnet small { input 3 8 8 -> conv 8 3 -> shrink }\n",
)
def _shadowed_op(subject: Subject) -> Iterator[Finding]:
    for item in subject.file.items:
        if isinstance(item, tree.Block) and item.keyword == "block" and find(item.name.name):
            yield Finding(
                f"the block `{item.name.name}` hides the op of that name",
                item.name.span,
                help="give it another name",
            )
