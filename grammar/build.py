"""Turns netspec.lark into tables.py (`python -m netspec.grammar.build`); no spec waits for it.

Lark reads the grammar and computes the LALR(1) tables; what is written is all that a parser needs,
so that compiling a spec imports no parser generator and compiles one regular expression.
"""

import re
from pathlib import Path
from typing import Any

from lark import Lark
from lark.grammar import Rule, Terminal
from lark.lexer import TerminalDef
from lark.parsers.lalr_analysis import IntParseTable, LALR_Analyzer, Shift

HERE = Path(__file__).parent


def tables(grammar: str) -> dict[str, Any]:
    """The lexer's pattern and words, the parser's rules and states. Raises on a conflict."""
    lark = Lark(grammar, parser="lalr", lexer="basic", start=["start", "expression"])
    analyzer = LALR_Analyzer(lark.parser.parser_conf, strict=True)
    analyzer.compute_lalr()
    rules: dict[Rule, int] = {rule: number for number, rule in enumerate(lark.rules)}
    table = analyzer.parse_table
    order = _order(table)
    number = {state: new for new, state in enumerate(order)}
    states = [
        {
            symbol: number[target] if action is Shift else -1 - rules[target]
            for symbol, (action, target) in sorted(table.states[state].items())
        }
        for state in order
    ]
    words, pattern = _lexer(lark.terminals)
    return {
        "pattern": pattern,
        "words": words,
        "spellings": {t.name: t.pattern.value for t in lark.terminals if t.pattern.type == "str"},
        "rules": [_rule(rule) for rule in lark.rules],
        "states": states,
        "starts": {goal: number[state] for goal, state in sorted(table.start_states.items())},
        "ends": {goal: number[state] for goal, state in sorted(table.end_states.items())},
    }


def _order(table: IntParseTable) -> list[int]:
    """The states from the start on: Lark numbers them differently in every process."""
    order = [table.start_states[goal] for goal in sorted(table.start_states)]
    for state in order:
        for _, (action, target) in sorted(table.states[state].items()):
            if action is Shift and target not in order:
                order.append(target)
    return order


def _lexer(terminals: list[TerminalDef]) -> tuple[dict[str, str], str]:
    """Reserved words by spelling, and one pattern that matches any other terminal."""
    words, signs, shapes = {}, [], []
    for terminal in terminals:
        if terminal.pattern.type == "re":
            shapes.append(terminal)
        elif terminal.pattern.value.isidentifier():
            words[terminal.pattern.value] = terminal.name
        else:
            signs.append(terminal)
    shapes.sort(key=lambda terminal: -terminal.priority)
    signs.sort(key=lambda terminal: -len(terminal.pattern.value))
    parts = [(t.name, t.pattern.value) for t in shapes]
    parts += [(t.name, re.escape(t.pattern.value)) for t in signs]
    return words, "|".join(f"(?P<{name}>{shape})" for name, shape in parts)


def _rule(rule: Rule) -> tuple[str, int, tuple[int, ...], str | None]:
    """Symbol, length, which children are kept, and action, which is None where children are passed on."""
    kept = tuple(
        index
        for index, symbol in enumerate(rule.expansion)
        if not (isinstance(symbol, Terminal) and symbol.filter_out)
    )
    name = str(rule.origin.name)
    action = None if name.startswith("_") else rule.alias or name
    return name, len(rule.expansion), kept, action


TYPES = {
    "pattern": "str",
    "words": "dict[str, str]",
    "spellings": "dict[str, str]",
    "rules": "list[tuple[str, int, tuple[int, ...], str | None]]",
    "states": "list[dict[str, int]]",
    "starts": "dict[str, int]",
    "ends": "dict[str, int]",
}
HEAD = '''"""What a parser needs of netspec.lark: written by `python -m netspec.grammar.build`.

A rule is its symbol, its length, which children are kept, and the method that builds a node of them. A state maps a
symbol to the state that follows, or to -1 less the number of a rule.
"""
'''


def text(grammar: str) -> str:
    """The module of tables: one rule or state a line, so that a change can be read."""
    parts = tables(grammar)
    lines = [HEAD]
    for key, kind in TYPES.items():
        value = parts[key]
        if isinstance(value, list):
            rows = "".join(f"{row!r},\n" for row in value)
            lines.append(f"{key.upper()}: {kind} = [\n{rows}]")
        else:
            lines.append(f"{key.upper()}: {kind} = {value!r}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (HERE / "tables.py").write_text(text((HERE / "netspec.lark").read_text()))
