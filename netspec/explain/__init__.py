"""What each diagnostic means: a page for every id, of mistakes and of lint rules. Finds nothing itself."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from functools import cache

from netspec.diagnostics import Diagnostic, SpecError, did_you_mean
from netspec.explain import (
    experiments,
    measuring,
    names,
    running,
    serving,
    shapes,
    sharing,
    text,
    training,
)
from netspec.explain.page import Page

MISTAKES = {
    "The text": text.PAGES,
    "Names, values and files": names.PAGES,
    "Shared layers": sharing.PAGES,
    "Shapes": shapes.PAGES,
    "Files, weights, targets and runs": running.PAGES,
    "Training": training.PAGES,
    "Experiments": experiments.PAGES,
    "Benchmarks and quantization": measuring.PAGES,
    "Sampling, scoring and deployment": serving.PAGES,
}
"""The pages of what does not compile or run, in chapters."""


@cache
def chapters() -> Mapping[str, Mapping[str, Page]]:
    """All pages by id, in chapters: the mistakes, then the families of lint rules."""
    from netspec.lint import all_rules

    found: dict[str, dict[str, Page]] = {title: dict(pages) for title, pages in MISTAKES.items()}
    for rule in sorted(all_rules(), key=lambda rule: (rule.family, rule.id)):
        title = f"Lint rules: {rule.family}"
        found.setdefault(title, {})[rule.id] = Page(
            rule.summary, rule.why, rule.bad, rule.good, rule.family, rule.fixable
        )
    return found


def find(id: str) -> Page | None:  # noqa: A002 (a diagnostic's word)
    """The page of an id."""
    return next((pages[id] for pages in chapters().values() if id in pages), None)


def page(id: str) -> tuple[str, Page]:  # noqa: A002
    """An id with its page. Raises `SpecError` with a suggestion where there is none."""
    found = find(id)
    if found is None:
        from netspec.lint.rule import matching

        known = [id_ for pages in chapters().values() for id_ in pages]
        rules = ", ".join(sorted(matching(id)))
        help_ = f"lint rules of that name are {rules}" if rules else did_you_mean(id, known)
        help_ = help_ or "`netspec explain` lists all ids"
        message = f"no diagnostic is called `{id}`"
        raise SpecError(Diagnostic("unknown-diagnostic", message, help=help_))
    return id, found


def listing() -> str:
    """Every id with its summary, in chapters."""
    width = max(len(id_) for pages in chapters().values() for id_ in pages)
    blocks = (
        "\n".join([title, *(f"  {id_:<{width}}  {page.summary}" for id_, page in pages.items())])
        for title, pages in chapters().items()
    )
    return "\n\n".join(blocks) + "\n"


def to_text(entry: tuple[str, Page]) -> str:
    """A page for a terminal."""
    id_, page = entry
    blocks = [f"{id_} ({_kind(page)})", textwrap.fill(_sentence(page.summary), 88)]
    blocks.append(textwrap.fill(page.why, 88))
    for title, program in _examples(page):
        blocks += [f"{title}:", textwrap.indent(program.rstrip(), "    ")]
    if page.family:
        blocks.append(f"Ignore it on a line: `# netspec: ignore[{id_}]`")
    return "\n\n".join(blocks) + "\n"


def to_markdown() -> str:
    """All pages, as `docs/diagnostics.md` has them."""
    lines = [
        "# Diagnostics",
        "",
        "Everything that netspec reports, by id. `netspec explain ID` prints the page of one; this page is "
        "the output of",
        "`netspec explain --markdown`. Mistakes keep a spec from compiling. Lint rules object to what "
        "compiles and is",
        "hardly meant; how they are chosen is said in [checking.md](checking.md).",
    ]
    for title, pages in chapters().items():
        lines += ["", f"## {title}"]
        for id_, page in pages.items():
            lines += ["", f"### {id_}", "", _sentence(page.summary), "", page.why]
            for heading, program in _examples(page):
                lines += ["", f"{heading}:", "", "```", program.rstrip(), "```"]
            if page.fixable:
                lines += ["", "`netspec check --fix` mends it."]
    return "\n".join(lines) + "\n"


def _kind(page: Page) -> str:
    if page.family is None:
        return "error"
    return f"lint rule, {page.family}{', mended by --fix' if page.fixable else ''}"


def _sentence(summary: str) -> str:
    return f"{summary[0].upper()}{summary[1:]}."


def _examples(page: Page) -> Iterator[tuple[str, str]]:
    """The programs of a page with what they are."""
    if page.bad is not None:
        yield "Reported", page.bad
    if page.good is not None:
        yield "Not reported", page.good
