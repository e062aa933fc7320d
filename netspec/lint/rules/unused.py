"""Rules about what stands in a file and does nothing: blocks, parameters, names, steps and ignore comments."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from netspec.diagnostics import Edit, Fix, did_you_mean
from netspec.language import tree
from netspec.language.evaluate import bound_names
from netspec.lint.edits import remove_statement
from netspec.lint.ignores import Ignore
from netspec.lint.names import parts_of
from netspec.lint.rule import Finding, matching, rule, selectors
from netspec.lint.subject import Net, Subject
from netspec.source import Span


def _is_meant(name: str) -> bool:
    """A name that begins with `_` says that it is not read."""
    return name.startswith("_")


@rule(
    "unused-block",
    family="unused",
    summary="a block is called by no net of its file",
    why="It is compiled into nothing. Often the call is there and means another block of nearly the same "
    "name. A file without nets is there for others to use, and its blocks are not reported.",
    bad="block unit(c) { conv c 3 -> relu }\nnet small { input 3 8 8 -> conv 8 3 -> relu }\n",
    good="block unit(c) { conv c 3 -> relu }\nnet small { input 3 8 8 -> unit 8 }\n",
)
def _unused_block(subject: Subject) -> Iterator[Finding]:
    if not subject.nets:
        return
    unread: dict[str, tree.Block] = {}
    waiting: list[object] = []
    for item in subject.file.items:
        if isinstance(item, tree.Block) and item.keyword == "block":
            unread[item.name.name] = item
        else:
            waiting.append(item)
    while waiting:
        names = subject.read_in(*parts_of(waiting.pop())).bare
        waiting += [unread.pop(name) for name in names & unread.keys()]
    for name, block in unread.items():
        yield Finding(
            f"nothing that is compiled calls the block `{name}`",
            block.name.span,
            help="call it, or remove it",
        )


@rule(
    "unused-parameter",
    family="unused",
    summary="a block or a net does not use one of its parameters",
    why="Whoever calls the block sets it and nothing changes. Often the body has a number where the parameter "
    "was meant. A name that begins with `_` is not reported.",
    bad="net small(classes=10, width=32) { input 8 -> dense 32 -> relu -> dense classes }\n",
    good="net small(classes=10, width=32) { input 8 -> dense width -> relu -> dense classes }\n",
)
def _unused_parameter(subject: Subject) -> Iterator[Finding]:
    for block in subject.file.items:
        if not isinstance(block, tree.Block):
            continue
        defaults = [parameter.default for parameter in block.parameters]
        read = subject.read_in(block.body, *defaults)
        for parameter in block.parameters:
            name = parameter.name
            if name not in read.bare | read.tensors and not _is_meant(name):
                span = Span(
                    parameter.span.source, parameter.span.start, parameter.span.start + len(name)
                )
                yield Finding(
                    f"`{block.name.name}` does not use its parameter `{name}`",
                    span,
                    help="use it, or remove it here and from the calls",
                )


@rule(
    "unused-variable",
    family="unused",
    summary="a `let`, a `share` or a loop over a range names what nobody reads",
    why="It changes nothing. Often another name was read in its place. A name that begins with `_` is not "
    "reported, and neither is one of several that take a list apart. A loop that does not use its number "
    "is a `repeat`.",
    bad="input 8\nlet hidden = 32\nfor i in range(2) { dense 64 -> relu }\n",
    good="input 8\nlet hidden = 64\nrepeat 2 { dense hidden -> relu }\n",
    fixable=True,
)
def _unused_variable(subject: Subject) -> Iterator[Finding]:
    items = subject.file.items
    blocks = [item for item in items if isinstance(item, tree.Block)]
    own = [item for item in items if not isinstance(item, tree.Block | tree.Use)]
    parts = [part for item in items for part in parts_of(item)]
    rooms: list[tuple[Sequence[object], Sequence[object]]] = [(own, parts)]
    rooms += [([block.body], [block.body]) for block in blocks]
    for room, readers in rooms:
        read = subject.read_in(*readers).bare
        for node in subject.nodes(*room):
            if isinstance(node, tree.For):
                yield from _unread_number(node, subject)
            elif isinstance(node, tree.Share) and node.name.name not in read:
                name = node.name
                yield Finding(f"nothing uses `{name.name}`", name.span, help="use it, or remove it")
            elif isinstance(node, tree.Let):
                names = bound_names(node.targets)
                if read.isdisjoint(names) and not any(map(_is_meant, names)):
                    yield _unread_let(node, names, subject.given)


def _unread_let(let: tree.Let, names: Sequence[str], given: Collection[str]) -> Finding:
    words = let.targets.span.text
    edit = remove_statement(let.span) if set(names).isdisjoint(given) else None
    return Finding(
        f"nothing reads {', '.join(f'`{name}`' for name in names)}",
        let.targets.span,
        help="read it, or remove it",
        fix=edit and Fix(f"remove `let {words} = ...`", (edit,)),
    )


def _unread_number(loop: tree.For, subject: Subject) -> Iterator[Finding]:
    """A loop over `range(n)` that does not read its number."""
    names, counts = bound_names(loop.targets), loop.iterable
    if len(names) != 1 or _is_meant(names[0]) or names[0] in subject.read_in(loop.body).bare:
        return
    if not isinstance(counts, tree.Call) or counts.function.name != "range":
        return
    if len(counts.arguments) != 1:
        return
    (rounds,) = counts.arguments
    source, start, end = loop.targets.span
    head = Span(source, source.text.rindex("for", 0, start), counts.span.end)
    # `range` of a negative number is empty, and `repeat` refuses it: what may be one stays.
    simple = isinstance(rounds, tree.Literal) or (
        isinstance(rounds, tree.Call) and rounds.function.name == "len"
    )
    simple = simple and source.text[end : counts.span.start].split() == ["in"]
    edit = Edit(head, f"repeat {rounds.span.text}")
    yield Finding(
        f"the loop does not read its number `{names[0]}`",
        loop.targets.span,
        help=f"write `repeat {rounds.span.text} {{ ... }}`",
        fix=Fix("write `repeat`", (edit,)) if simple and "#" not in head.text else None,
    )


@rule(
    "unused-tensor",
    family="unused",
    summary="a named tensor is not used in its block",
    why="A tensor is named to be used again: as a branch, as a start, as an argument or as a result. Where it "
    "is not, its steps are computed for nothing, or an input is asked for that changes nothing. Often the "
    "branch that was meant to take it says `@`. A name that begins with `_` is not reported.",
    bad="input 3 8 8\n@skip = conv 8 1\nconv 8 3 padding=1 -> relu\n",
    good="input 3 8 8\n@skip = conv 8 1\nconv 8 3 padding=1 -> relu\nadd { @ | @skip }\n",
)
def _unused_tensor(subject: Subject) -> Iterator[Finding]:
    items = subject.file.items
    rooms: list[Sequence[object]] = [[item.body] for item in items if isinstance(item, tree.Block)]
    rooms.append([item for item in items if not isinstance(item, tree.Block)])
    for room in rooms:
        read = subject.read_in(*room).tensors
        for node in subject.nodes(*room):
            if isinstance(node, tree.Assign | tree.Collect):
                tensors = node.names if isinstance(node, tree.Assign) else (node.name,)
                names = [tensor.name for tensor in tensors]
                if read.isdisjoint(names) and not any(map(_is_meant, names)):
                    quoted = ", ".join(f"`@{name}`" for name in names)
                    yield Finding(
                        f"nothing uses {quoted}", tensors[0].span, help="use it, or remove it"
                    )


@rule(
    "unused-step",
    family="unused",
    summary="what a step computes leads to no result",
    why="The net's results are its last current tensor, or what `out` names. Steps that lead to none of them "
    "are compiled into nothing: most often a line began with `@name` and left the current tensor behind, "
    "or stands behind `out`.",
    bad="input 3 8 8\n@x = conv 8 3 -> relu\nconv 8 3 -> relu\n@x -> gap -> dense 10\n",
    good="input 3 8 8\n@x = conv 8 3 -> relu\nconv 8 3 -> relu\nadd { @ | @x } -> gap -> dense 10\n",
)
def _unused_step(subject: Subject) -> Iterator[Finding]:
    dead: list[list[tuple[int, int]]] = []
    alive: set[tuple[int, int]] = set()
    for net in subject.nets:
        for node in net.graph.nodes:
            if node.name in net.live:
                alive.update(_around(net, node.name, subject))
            elif not net.graph.readers[node.name]:
                dead.append(_around(net, node.name, subject))
    for around in dead:
        # The outermost call with nothing but dead steps in it, in any net.
        at = next((at for at in around if at not in alive), None)
        if at is None or isinstance(subject.places[at].statement, tree.Assign | tree.Collect):
            continue
        alive.add(at)
        name = subject.places[at].step.name
        what = "is never read" if name.name == "input" else "leads to no result"
        yield Finding(
            f"`{name.name}` {what}",
            name.span,
            help="name it with `@x = ...` and use `@x`, or remove it",
        )


def _around(net: Net, name: str, subject: Subject) -> list[tuple[int, int]]:
    """The calls of this file that a node stands in, outermost first, the op's own last."""
    ends = [index for index, character in enumerate(name) if character == "."]
    positions = (net.graph.positions.get(name[:end]) for end in (*ends, len(name)))
    return [(at.line, at.column) for at in positions if at and subject.place(at) is not None]


@rule(
    "unused-ignore",
    family="unused",
    summary="a comment ignores a rule that objects to nothing there",
    why="What it spoke of was mended or has moved, and the comment would hide the next mistake. `# netspec: "
    "ignore[id]` at the end of a line speaks of what begins on that line, `# netspec: ignore-file[id]` of "
    "the whole file; an id may be a family of rules. A comment that begins with `netspec:` and is neither "
    "is reported, too.",
    bad="input 16  # netspec: ignore[softmax-of-one]\ndense 10\n",
    good="input 16\ndense 1 -> softmax  # netspec: ignore[softmax-of-one]\n",
    fixable=True,
    last=True,
)
def _unused_ignore(subject: Subject) -> Iterator[Finding]:
    for ignore in subject.ignores:
        if not ignore.words:
            help_ = "write `# netspec: ignore[id]` or `# netspec: ignore-file[id]`"
            yield Finding("a comment of the linter that says nothing", ignore.span, help=help_)
            continue
        unused = []
        for word in ignore.words:
            ids = matching(word.text)
            if not ids:
                help_ = did_you_mean(word.text, selectors()) or "`netspec explain` lists the rules"
                yield Finding(f"`{word.text}` is no lint rule", word.span, help=help_)
            elif word.text not in ignore.silenced and not ids.isdisjoint(subject.rules):
                unused.append(word.text)
        if unused:
            quoted = ", ".join(f"`{word}`" for word in unused)
            where = "on this line" if ignore.line else "in this file"
            yield Finding(
                f"there is no {quoted} to ignore {where}",
                ignore.span,
                fix=Fix("remove it", (_without(ignore, unused),)),
            )


def _without(ignore: Ignore, unused: Sequence[str]) -> Edit:
    """The comment without these words, or nothing where none is left."""
    kept = [word.text for word in ignore.words if word.text not in unused]
    source, start, end = ignore.span
    if kept:
        span = Span(source, ignore.words[0].span.start, ignore.words[-1].span.end)
        return Edit(span, ", ".join(kept))
    line_start = source.text.rfind("\n", 0, start) + 1
    before = source.text[line_start:start]
    if before.strip():
        return Edit(Span(source, line_start + len(before.rstrip()), end), "")
    newline = source.text.find("\n", end)
    return Edit(Span(source, line_start, len(source.text) if newline < 0 else newline + 1), "")
