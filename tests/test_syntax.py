"""The grammar: what parses as what and where, and that no text breaks the parser."""

import random
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lark import Lark
from lark import Token as LarkToken
from lark.exceptions import UnexpectedToken

from netspec.diagnostics import SpecError
from netspec.grammar import build as grammar
from netspec.grammar.build import text as tables_text
from netspec.language import tree
from netspec.language.expand import expand
from netspec.language.syntax import parse, read_tokens
from netspec.limits import DEFAULT
from netspec.render import render
from netspec.source import Source, Span

GRAMMAR = Path(grammar.__file__).parent


def sketch(node: Any) -> Any:
    """A tree without its spans, in a form that is short to write."""
    match node:
        case tree.Literal() | tree.Name() | tree.Dynamic() | tree.Tensor():
            prefix = {tree.Tensor: "@", tree.Dynamic: "?"}.get(type(node), "")
            return prefix + node[0] if prefix else node[0]
        case tree.Invoke():
            return (sketch(node.name), *map(sketch, node.arguments))
        case tree.Argument(name, value, _):
            return sketch(value) if name is None else {name: sketch(value)}
        case tree.Chain(first, rest, _):
            return [
                sketch(first),
                *(part for sign, value in rest for part in (sign, sketch(value))),
            ]
        case tree.Unary():
            return [node.operator, sketch(node.operand)]
        case tree.Call():
            return {sketch(node.function): [sketch(a) for a in node.arguments]}
        case tree.Index():
            return {"index": [sketch(node.value), sketch(node.key)]}
        case tree.Attribute():
            return {"." + node.name: sketch(node.value)}
        case tree.Items():
            return tuple(sketch(item) for item in node.items)
    raise TypeError(node)


def first_step(text: str) -> Any:
    flow = parse(Source("t.net", text)).items[0]
    assert isinstance(flow, tree.Flow)
    return flow.pipeline.steps[0]


def only_error(text: str) -> tuple[str, str]:
    with pytest.raises(SpecError) as caught:
        parse(Source("t.net", text))
    (diagnostic,) = caught.value.diagnostics
    return diagnostic.id, diagnostic.span.text if diagnostic.span else ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("conv c -1", ("conv", "c", ["-", 1])),
        ("conv (c-1)", ("conv", ["c", "-", 1])),
        ("conv (c -1)", ("conv", ["c", "-", 1])),
        ("conv @.c//2 3", ("conv", [{".c": "@"}, "//", 2], 3)),
        ("conv 4*g 2**i", ("conv", [4, "*", "g"], [2, "**", "i"])),
        ("conv 2**-1", ("conv", [2, "**", ["-", 1]])),
        ("conv f(c)", ("conv", {"f": ["c"]})),
        ("conv f (c)", ("conv", "f", "c")),
        ("conv a[0]", ("conv", {"index": ["a", 0]})),
        ("conv a [0]", ("conv", "a", (0,))),
        ("conv (64, 3)", ("conv", (64, 3))),
        ("conv (64)", ("conv", 64)),
        ("conv 3x3 1x7", ("conv", (3, 3), (1, 7))),
        ("conv 64 stride=-1", ("conv", 64, {"stride": ["-", 1]})),
        ("conv [1, 2,] ()", ("conv", (1, 2), ())),
        ("conv [1,\n  2]", ("conv", (1, 2))),
        ("conv -x -y", ("conv", ["-", "x"], ["-", "y"])),
        ("conv true none 1e-3 0.5", ("conv", True, None, 1e-3, 0.5)),
        ("embed ?T", ("embed", "?T")),
        ("mha @kv mask=@m.shape", ("mha", "@kv", {"mask": {".shape": "@m"}})),
    ],
)  # fmt: skip
def test_arguments(text: str, expected: Any) -> None:
    assert sketch(first_step(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", [1, "+", [2, "*", 3]]),
        ("1 - 2 - 3", [1, "-", 2, "-", 3]),
        ("a -1", ["a", "-", 1]),
        ("not a and b or c", [[["not", "a"], "and", "b"], "or", "c"]),
        ("1 < 2 <= 3", [1, "<", 2, "<=", 3]),
        ("-2**2", ["-", [2, "**", 2]]),
        ("@kv or @", ["@kv", "or", "@"]),
        ("a[0][1].c", {".c": {"index": [{"index": ["a", 0]}, 1]}}),
    ],
)
def test_expressions(text: str, expected: Any) -> None:
    let = parse(Source("t.net", f"let x = {text}")).items[0]
    assert isinstance(let, tree.Let)
    assert sketch(let.value) == expected


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("a\nb", 2),
        ("a; b;", 2),
        ("a\n-> b", 1),
        ("a ->\nb", 1),
        ("a # -> c\n\n# d\n-> b", 1),
        ("\n\n a \n\n b \n", 2),
        ("if x { a }\nelse { b }\n-> c", 1),
        ("add {\n a\n | b\n}\nc", 2),
        ("add {\n a;\n| b }", 1),
        (";; a;\n; add { ; a | ; b };", 2),
        ("repeat 2 { {i + 1}: a }\n{i}.{j}x: b", 2),
        ("a\r\nb\r\n", 2),
        ("a # b\rc\r", 2),
        ("let x = [\n 1,\n\n 2\n]\na", 2),
        ("", 0),
        ("# nothing", 0),
    ],
)
def test_where_statements_end(text: str, statements: int) -> None:
    assert len(parse(Source("t.net", text)).items) == statements


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("stem: conv", ["stem"]),
        ("downsample.0: conv", ["downsample.0"]),
        ("layer{i + 1}: conv", ["layer", ["i", "+", 1]]),
        ("a{i}.b{j}: conv", ["a", "i", ".b", "j"]),
        ("0: conv", ["0"]),
        ("block{i}-{j}: conv", ["block", "i", "-", "j"]),
        ("f.a-0: conv", ["f.a-0"]),
    ],
)
def test_labels(text: str, parts: list[Any]) -> None:
    label = first_step(text).label
    assert [part if isinstance(part, str) else sketch(part) for part in label.parts] == parts


def test_spans_cover_the_words() -> None:
    text = "add { conv c 3 | layer{i + 1}: @.c } \n".replace("@.c", "pool @.c stride=(1 + 2)")
    add = first_step(text)
    conv, labelled = (body.statements[0].pipeline.steps[0] for body in add.branches)
    assert add.span.text == "add { conv c 3 | layer{i + 1}: pool @.c stride=(1 + 2) }"
    assert [argument.span.text for argument in conv.arguments] == ["c", "3"]
    assert labelled.label.span.text == "layer{i + 1}"
    assert labelled.label.parts[1].span.text == "i + 1"
    assert labelled.arguments[1].span.text == "stride=(1 + 2)"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("conv c - 1", ("bare-operator", "-")),
        ("conv @.c-1", ("bare-operator", "-")),
        ("conv c+1", ("bare-operator", "+")),
        ("drop when=a == b", ("bare-operator", "==")),
        ("conv(64, 3)", ("bracketed-arguments", "(")),
        ("roll[1]", ("unexpected-token", "[")),
        ("x = 3", ("unexpected-token", "=")),
        ("conv 3 ->", ("unexpected-token", ">")),
        ("relu -> ; tanh", ("unexpected-token", ";")),
        ("let x = ; relu", ("unexpected-token", ";")),
        ("head: ; relu", ("unexpected-token", ";")),
        ("let for = 3", ("reserved-word", "for")),
        ("repeat 2 { a | b }", ("unexpected-token", "|")),
        ("net a { net b { } }", ("unexpected-token", "net")),
        ("conv 3, 3", ("unexpected-token", ",")),
        ("conv 3x3y", ("bad-number", "3x3y")),
        ("conv 1.5.2", ("bad-number", "1.5.2")),
        ("conv 1e999", ("bad-number", "1e999")),
        ("(1; 2)", ("unexpected-token", "(")),
        ("let x = (1; 2)", ("unclosed-bracket", "(")),
        ("let x = [1 2]", ("unexpected-token", "2")),
        ("a { b", ("unclosed-bracket", "{")),
        ("a { b ]", ("unclosed-bracket", "{")),
        ("a }", ("unmatched-bracket", "}")),
    ],
)
def test_mistakes_are_found_at_their_words(text: str, error: tuple[str, str]) -> None:
    assert only_error(text) == error


def test_tables_are_what_the_grammar_says() -> None:
    grammar = (GRAMMAR / "netspec.lark").read_text()
    assert (GRAMMAR / "tables.py").read_text() == tables_text(grammar), (
        "run python -m netspec.grammar.build"
    )


SYNTAX = {"bare-operator", "bracketed-arguments", "reserved-word", "unexpected-token"}
"""What a text is told that the grammar does not generate."""


def lark_accepts(lark: Lark, text: str) -> bool:
    """Whether Lark's own parser takes the tokens of a text."""
    parser = lark.parse_interactive(start="start")
    try:
        for token in read_tokens(Source("t.net", text), DEFAULT, 0, len(text)):
            parser.feed_token(LarkToken(token.type, token.text))
    except UnexpectedToken:
        return False
    return True


def test_our_loop_over_the_tables_accepts_what_larks_own_parser_accepts() -> None:
    """Over the examples and thousands of texts that are one word away from them, most of them wrong."""
    lark = Lark(
        (GRAMMAR / "netspec.lark").read_text(),
        parser="lalr",
        lexer="basic",
        start=["start", "expression"],
    )
    draws = random.Random(0)
    texts = [path.read_text() for path in sorted(Path("examples").glob("*.net"))]
    # A label is one token; what stands in its braces is parsed later.
    texts = [re.sub(r"\{[^{}\n]*\}:", ":", text) for text in texts]
    words = [re.findall(r"\w+|\s+|[^\w\s]", text) for text in texts]
    for _ in range(2000):
        changed = list(draws.choice(words))
        at = draws.randrange(len(changed))
        changed[at : at + draws.choice([0, 1, 1, 2])] = [draws.choice(draws.choice(words))]
        texts.append("".join(changed))
    verdicts = []
    for text in texts:
        try:
            wanted = lark_accepts(lark, text)
        except SpecError:  # no tokens to compare on
            continue
        try:
            parse(Source("t.net", text))
            found = True
        except SpecError as error:
            if error.diagnostics[0].id not in SYNTAX:  # found wrong while its tree was built
                continue
            found = False
        assert found == wanted, text
        verdicts.append(found)
    assert {True, False} == set(verdicts)


def test_expansion_imports_no_parser_generator_and_no_framework() -> None:
    code = (
        "import sys; from netspec import render; from netspec.source import Source;"
        "from netspec.language import expand, syntax;"
        "expand.expand(syntax.parse(Source('t.net', 'input 8 -> dense 4')));"
        "print(*{'lark', 'numpy', 'torch', 'keras', 'onnx', 'tensorflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_a_chain_is_parsed_in_linear_time() -> None:
    def seconds(layers: int) -> float:
        source = Source("t.net", "input 8 8 8\n" + "conv 8 3 padding=1 -> relu\n" * layers)
        begin = time.process_time()
        parse(source)
        return time.process_time() - begin

    seconds(100)
    assert seconds(4000) < 30 * max(seconds(500), 0.01), "8 for linear, 64 for quadratic"


SEEDS = [path.read_text() for path in (Path(__file__).parent / "errors").glob("*.net")]
SEEDS.append(
    "block basic(c, stride=1, act=relu) {\n  add { conv c 3 stride=stride padding=1 -> bn\n"
    "  | if stride > 1 or @.c != c { conv c 1 stride=stride } } -> act\n}\n"
    "net r(classes=10, depths=[2, 2]) {\n  input 3 8 8\n  @skip = @\n"
    "  for i, n in enumerate(depths) { layer{i + 1}: repeat n { basic (8 * 2**i) } }\n"
    "  concat { @ | @skip -> conv 4 1 }\n  let k = [j for j in range(4) if j % 2]\n"
    "  residual when=(len(k) == 2) { conv @.c 3 padding=half }\n  gap -> fc: dense classes\n}\n"
)
WORDS = sorted({word for seed in SEEDS for word in seed.split()} | set('{}()[]|;@?-=,.:\n#"\0é'))


def only_spec_errors(text: str) -> None:
    limits = DEFAULT._replace(nodes=200, steps=5000)
    try:
        expand(parse(Source("t.net", text), limits), limits=limits)
    except SpecError as error:
        render(error.diagnostics, colour=True)


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from("abcx019 \n\t{}()[]|;@?-=<>*/+,.:#\"'%é\0"), max_size=60))
def test_random_characters_raise_only_spec_errors(text: str) -> None:
    only_spec_errors(text)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=30).map(" ".join))
def test_random_words_raise_only_spec_errors(text: str) -> None:
    only_spec_errors(text)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(SEEDS), st.randoms(use_true_random=False))
def test_mutated_specs_raise_only_spec_errors(seed: str, chance: random.Random) -> None:
    text = seed
    for _ in range(chance.randint(1, 4)):
        at, length = chance.randrange(len(text) + 1), chance.randint(0, 8)
        text = text[:at] + chance.choice(["", chance.choice(WORDS), " "]) + text[at + length :]
    only_spec_errors(text)


def test_a_span_knows_its_place() -> None:
    source = Source("t.net", "input 8\n  dense 4")
    assert Span(source, 10, 15).position[1:] == (2, 3, 2, 8)
