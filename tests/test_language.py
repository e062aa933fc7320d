"""The reference page of the language: every example on it does what the page says."""

import re
from pathlib import Path

import pytest

from netspec.diagnostics import SpecError
from netspec.grammar import build
from netspec.language import library
from netspec.language.expand import expand
from netspec.language.functions import FUNCTIONS
from netspec.language.syntax import parse
from netspec.source import Source

PAGE = Path(build.__file__).with_name("language.md").read_text()
EXAMPLES = re.findall(r"^```net(?: (\w+)=(\S+))?\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
FILES = {value: Source(value, text) for option, value, text in EXAMPLES if option == "file"}


@pytest.mark.parametrize(
    ("option", "value", "text"), [example for example in EXAMPLES if example[0] != "file"]
)
def test_an_example_does_what_the_page_says(option: str, value: str, text: str) -> None:
    source = Source("language.net", text)
    if option == "error":
        with pytest.raises(SpecError) as caught:
            expand(parse(source))
        assert {diagnostic.id for diagnostic in caught.value.diagnostics} == {value}
    else:
        size = [int(part) for part in value.split("x")] if option == "input" else None
        net = value if option == "net" else None
        graph = expand(parse(source), net=net, input_shape=size, read=lambda path, _: FILES[path])
        assert graph.nodes


def test_the_page_lists_the_standard_library() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(.*)` \| .+ \|$", PAGE, re.MULTILINE)
    library_ = {}
    for name in library.names():
        closure = library.find(name)
        assert closure is not None
        library_[name] = ", ".join(parameter.span.text for parameter in closure.block.parameters)
    assert dict(rows) == library_


def test_the_page_shows_everything() -> None:
    assert len(EXAMPLES) == PAGE.count("```net")
    for function in FUNCTIONS:
        assert re.search(rf"\b{function}\b", PAGE), function
    for word in build.tables(build.HERE.joinpath("netspec.lark").read_text())["words"]:
        assert f"{word} " in PAGE or f"`{word}`" in PAGE, word
