"""Files -> modules: which blocks each file sees, however files use one another. Reads nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from netspec.diagnostics import Diagnostic, Note, SpecError, did_you_mean
from netspec.language import tree
from netspec.language.syntax import parse
from netspec.language.values import Closure, Module
from netspec.limits import Limits
from netspec.source import Source, Span

Reader: TypeAlias = Callable[[str, Source], Source]
"""The file that a `use` in a source names: the same object for the same file. Raises SpecError."""


class Contents(NamedTuple):
    """What a file declares, by kind."""

    source: Source
    module: Module
    nets: dict[str, tree.Block]
    statements: tuple[tree.Statement, ...]


def link(
    file: tree.File, read: Reader | None, limits: Limits
) -> tuple[Contents, Sequence[Contents]]:
    """The contents of a file, and of all that it uses, each after what it uses itself.

    Raises SpecError with what is wrong in any of them.
    """
    linker = _Linker(read, limits)
    linker.words = file.words
    main = linker.contents(file)
    if linker.faults:
        raise SpecError(*linker.faults)
    return main, linker.used


class _Linker:
    """One run: the files that were read, and the way to the one that is being read."""

    def __init__(self, read: Reader | None, limits: Limits) -> None:
        self.read = read
        self.limits = limits
        self.used: list[Contents] = []
        self.faults: list[Diagnostic] = []
        self.words = 0
        self._known: dict[Source, Contents | None] = {}
        self._way: list[tuple[Source, Span]] = []

    def contents(self, file: tree.File) -> Contents:
        """What a file declares. Its blocks see those of the files that it uses, in any order."""
        module, nets, statements = Module(), dict[str, tree.Block](), list[tree.Statement]()
        uses: list[tree.Use] = []
        variants: list[tree.Variant] = []
        for item in file.items:
            if isinstance(item, tree.Use):
                uses.append(item)
            elif isinstance(item, tree.Block):
                self._declare(item, module, nets)
            elif isinstance(item, tree.Variant):
                variants.append(item)
            else:
                statements.append(item)
        broken = (item.names for item in statements if isinstance(item, tree.Broken))
        self._vary(variants, nets, frozenset[str]().union(*broken))
        contents = Contents(file.source, module, nets, tuple(statements))
        for use in uses:
            used = self._use(use, file.source)
            if used is not None:
                self._bring(use, used, module)
        return contents

    def _declare(self, block: tree.Block, module: Module, nets: dict[str, tree.Block]) -> None:
        name = block.name.name
        self._check_parameters(block)
        is_net = block.keyword == "net"
        closure = module.blocks.get(name)
        first = nets.get(name) if is_net else closure and closure.block
        if first is not None:
            message = f"a second {block.keyword} is called `{name}`"
            self._second(message, block.name.span, Note("the first is here", first.name.span))
        elif is_net:
            nets[name] = block
        else:
            module.blocks[name] = Closure(block, module)

    def _vary(
        self, variants: Sequence[tree.Variant], nets: dict[str, tree.Block], broken: frozenset[str]
    ) -> None:
        """Declare the nets that are others with other defaults, each after the one that it varies.

        Nothing is said of the `broken` ones, which a statement with a mistake may have declared.
        """
        waiting: dict[str, tree.Variant] = {}
        for variant in variants:
            name = variant.name.name
            first = nets.get(name) or waiting.get(name)
            if first is not None:
                message = f"a second net is called `{name}`"
                self._second(message, variant.name.span, Note("the first is here", first.name.span))
            else:
                waiting[name] = variant
        known = (*nets, *waiting)
        while ready := [each for each in waiting.values() if each.base.name in nets]:
            for variant in ready:
                del waiting[variant.name.name]
                nets[variant.name.name] = self._varied(variant, nets[variant.base.name])
        told = set(broken)
        for variant in waiting.values():
            way = {variant.name.name: variant}  # to what it varies in the end
            while (base := [*way.values()][-1].base.name) in waiting and base not in way:
                way[base] = waiting[base]
            if base in told:
                continue  # all that leads there is its consequence
            told.add(base)
            if base in waiting:
                told.update(way)
                wrong, help_ = variant.base, None
                message = f"`{wrong.name}` leads back to no net with a body"
            else:
                wrong, help_ = [*way.values()][-1].base, did_you_mean(base, known)
                message = f"no net is called `{base}`"
            self._fault(Diagnostic("unknown-net", message, wrong.span, help=help_))

    def _varied(self, variant: tree.Variant, base: tree.Block) -> tree.Block:
        """The base with the variant's name and defaults."""
        given: dict[str, tree.Expression] = {}
        names = [parameter.name for parameter in base.parameters]
        for argument in variant.arguments:
            assert argument.name is not None
            start = argument.span.start
            span = Span(argument.span.source, start, start + len(argument.name))
            if argument.name in given:
                message = f"`{argument.name}` is given twice"
                self._fault(Diagnostic("repeated-argument", message, span))
            elif argument.name not in names:
                message = f"the net `{base.name.name}` has no parameter `{argument.name}`"
                listed = ", ".join(f"`{each}`" for each in names)
                known = f"it has {listed}" if names else "it has none"
                help_ = did_you_mean(argument.name, names) or known
                self._fault(Diagnostic("unknown-parameter", message, span, help=help_))
            given[argument.name] = argument.value
        parameters = (
            parameter._replace(default=given.get(parameter.name, parameter.default))
            for parameter in base.parameters
        )
        return base._replace(name=variant.name, parameters=tuple(parameters))

    def _check_parameters(self, block: tree.Block) -> None:
        seen: dict[str, Span] = {}
        for parameter in block.parameters:
            if parameter.name in seen:
                message = f"a second parameter is called `{parameter.name}`"
                first = Note("the first is here", seen[parameter.name])
                self._second(message, parameter.span, first)
            seen.setdefault(parameter.name, parameter.span)

    def _second(self, message: str, span: Span, *notes: Note, help: str | None = None) -> None:  # noqa: A002
        self._fault(Diagnostic("duplicate-definition", message, span, help=help, notes=notes))

    # ---- other files ----

    def _use(self, use: tree.Use, user: Source) -> Contents | None:
        """The contents of a used file, or None where it is reported to be wrong."""
        try:
            source = self._source(use, user)
        except SpecError as error:
            for diagnostic in error.diagnostics:
                self._fault(diagnostic._replace(span=use.span))
            return None
        way = [*(source for source, _ in self._way), user]
        if source in way:
            circle = [*way[way.index(source) :], source]
            names = " -> ".join(each.name for each in circle)
            self._fault(Diagnostic("circular-use", f"files use one another: {names}", use.span))
        elif source not in self._known:
            self._known[source] = self._contents_of(source, use, user)
        return self._known.get(source)

    def _source(self, use: tree.Use, user: Source) -> Source:
        if self.read is None:
            message = f"{user.name} is a text without a folder, and cannot use files"
            help_ = "compile a file, or give `folder=` to `netspec.parse`"
            raise SpecError(Diagnostic("no-folder", message, help=help_))
        return self.read(use.path, user)

    def _contents_of(self, source: Source, use: tree.Use, user: Source) -> Contents | None:
        before = len(self.faults)
        self._way.append((user, use.span))
        try:
            used = parse(source, self.limits, words=self.words)
            self.words = used.words
            contents = self.contents(used)
        except SpecError as error:
            for diagnostic in error.diagnostics:
                self._fault(diagnostic)
        else:
            for statement in contents.statements:
                if not isinstance(statement, tree.Let):
                    message = "a file that is used has steps outside of its blocks and nets"
                    help_ = "move them into `net example { ... }`, which its users do not see"
                    self._fault(Diagnostic("step-outside-net", message, statement.span, help=help_))
                    break
        self._way.pop()
        if len(self.faults) > before:
            return None
        self.used.append(contents)
        return contents

    def _bring(self, use: tree.Use, used: Contents, module: Module) -> None:
        """Let a file's blocks see the own blocks of another."""
        for name, closure in used.module.blocks.items():
            if closure.home is not used.module:
                continue
            first = module.blocks.setdefault(name, closure)
            if first is not closure:
                self._second(
                    f"{used.source.name} brings a second block called `{name}`",
                    use.span,
                    Note("the first is here", first.block.name.span),
                    Note("the second is here", closure.block.name.span),
                    help="rename one of them",
                )

    def _fault(self, diagnostic: Diagnostic) -> None:
        """Keep what is wrong, with the way to the file where it is."""
        trace = [Note(f"used by {user.name}", span) for user, span in reversed(self._way[-8:])]
        self.faults.append(diagnostic._replace(trace=(*diagnostic.trace, *trace)))
