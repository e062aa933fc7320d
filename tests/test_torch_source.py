"""How emitted PyTorch reads: classes, parameters, names, what is refused, and that it stands alone."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest
import torch
from graphs import HYPHENATED, NUMBERED, RECURSIVE, example_graph, graph_of, realised_by
from shared import HAND_OVER
from torch_networks import LAYOUTS, OPTIONS, OWN, PARTS, SIZES

import netspec
from netspec.backend import load_backend
from netspec.backends.torch.class_source import DICT_NAMES, RESERVED
from netspec.backends.torch.module import emit_module
from netspec.diagnostics import SpecError
from netspec.ops import all_ops

target = load_backend("torch")

OPS = [op for op in all_ops() if op.kind != "input"]

RESNET = "examples/resnet18.net"


def source_of(text):
    return target.emit(graph_of(text)).decode()


def body_of(text):
    """The emitted classes, without the file's docstring and imports."""
    return source_of(text).partition("from torch import Tensor, nn\n\n\n")[2]


def test_every_op_has_a_row_or_a_reason():
    assert [op.kind for op in all_ops() if op not in target.ROWS] == ["input"]


@pytest.mark.parametrize("labelled", [True, False])
def test_a_module_is_its_own_file(labelled, tmp_path):
    """The emitted file runs alone, in a process that cannot import netspec."""
    graph = netspec.load(RESNET, input_shape=(3, 32, 32))
    source, name = emit_module(graph)
    (tmp_path / "model.py").write_text(source)
    check = "" if labelled else ".eval()"
    code = (
        "import sys; sys.modules['netspec'] = None\n"
        f"import torch; from model import {name}\n"
        f"print(tuple({name}(){check}(torch.zeros(2, 3, 32, 32)).shape))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "(2, 1000)\n"


def test_all_emitted_source_is_clean(tmp_path):
    """`ruff check` and `ruff format` at their defaults find nothing to say."""
    for number, (op, example) in enumerate(realised_by(target)):
        (tmp_path / f"op{number}.py").write_bytes(target.emit(example_graph(op, example)))
    for name in ("n1", "n2", "n3", "n4", "resnet18"):
        (tmp_path / f"{name}.py").write_bytes(target.emit(netspec.load(f"examples/{name}.net")))
    for number, text in enumerate([*LAYOUTS, HYPHENATED, RECURSIVE]):
        (tmp_path / f"layout{number}.py").write_text(source_of(text))
    ruff = [sys.executable, "-m", "ruff"]
    for command in (
        ["check", "--isolated", "."],
        ["format", "--isolated", "--check", "--diff", "."],
    ):
        done = subprocess.run(
            [*ruff, *command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout


def test_equal_instances_are_one_class_with_the_blocks_parameters():
    code = source_of(
        "block cbn(c, k=1) { conv c k padding=half bias=false -> bn }\n"
        "net n { input 3 8 8\ncbn 8 3 -> cbn 16 -> cbn 16 3 -> cbn 16 }"
    )
    assert code.count("class Cbn") == 1
    assert "def __init__(self, in_channels: int, c: int, *, k: int) -> None:" in code
    assert "nn.Conv2d(in_channels, c, k, padding=k // 2, bias=False)" in code
    assert "self.cbn1 = Cbn(3, 8, k=3)" in code
    assert "self.cbn4 = Cbn(16, 16, k=1)" in code


def test_a_block_that_counts_its_steps_is_a_sequence():
    code = body_of(NUMBERED)
    assert "self.counted1 = nn.Sequential(" in code
    assert "class Counted" not in code


def test_functions_between_the_layers_of_a_group_belong_to_it():
    code = body_of(
        "input 3 8 8 -> features.0: conv 4 3 -> relu -> pool 2 -> features.3: conv 8 3 -> relu"
        " -> mlp.0: dense 6 -> gelu -> mlp.3: dense 5 -> head.fc: dense 4 -> relu -> head.out: dense 2"
    )
    features = code.partition("self.features = nn.Sequential(")[2].partition("\n        )")[0]
    layers = ("nn.Conv2d(3, 4, 3)", "nn.ReLU(inplace=True)", "nn.MaxPool2d(2)")
    assert ",".join(layers) in "".join(features.split("\n            "))
    for name in ("0", "gelu1", "3"):
        assert f'("{name}", nn.' in code
    assert "out=nn.Linear(4, 2)" in code
    assert "ModuleDict" not in code
    code = body_of('input 3 8 8 -> stem: { 0: conv 4 3 -> permute "h w c" -> 2: ln } -> dense 2')
    assert "nn.Conv2d(3, 4, 3), Permute((0, 2, 3, 1)), nn.LayerNorm(4)" in code


def test_groups_of_one_form_are_a_class_without_a_number():
    code = body_of(
        "net n {\ninput 3 8 8\n"
        "for i in range(2) { stage{i}: { @z = conv: conv 3 1\n@skips += @z -> relu\n@z -> bn } }\n"
        "add { @ | sum: add { @skips } } }"
    )
    assert "self.stage0 = Stage()\n        self.stage1 = Stage()\n" in code


def test_layers_that_repeat_are_written_once():
    code = body_of(
        "block unit(c) { residual { conv c 1 -> relu } }\n"
        "block grow(c) { concat { @ | conv c 1 } }\n"
        "block stage(c, depth) { conv c 1 -> units: { repeat depth { unit c } } }\n"
        "block dense(c, depth) { for i in range(depth) { layer{i + 1}: grow c } }\n"
        "net n { input 3 4 4\nstage 4 3 -> stage 6 5 -> dense 2 4 }"
    )
    assert code.count("class Stage") == 1
    assert 'OrderedDict((f"unit{i + 1}", Unit(c)) for i in range(depth))' in code
    named = body_of(
        "input 3 4 4\nstage: { unit-0: conv 4 1 -> for i in range(1, 6) { unit-{i}: conv 4 1 } }"
    )
    assert '*[(f"unit-{i + 1}", nn.Conv2d(4, 4, 1)) for i in range(5)],' in named
    counted = body_of(
        "block unit(c) { residual { conv c 1 -> relu } }\ninput 3 4 4\n"
        "for i in range(9) { body.{i}: unit 3 } -> gap"
    )
    assert "self.body = nn.Sequential(*[Unit() for _ in range(9)])" in counted
    assert '(f"layer{i + 1}", Grow(6 + 2 * i)) for i in range(4)' in code
    named = body_of(
        "block twin(c, i) { conv c 1 -> r: { layer1: conv c i -> layer2: conv c i -> layer3: conv c i } }\n"
        "net n { input 3 9 9\ntwin 4 1 -> twin 5 3 }"
    )
    assert '(f"layer{i + 1}", nn.Conv2d(c, c, i2)) for i in range(3)' in named


def test_the_largest_of_many_is_found_in_halves():
    code = body_of("net n { input 2\nfor i in range(300) { @b += @ -> times i }\nmax { @b } }")
    depths = [line.count("torch.maximum(") for line in code.splitlines()]
    assert 1 <= max(depths) < 10


def test_a_block_that_is_one_function_needs_no_class():
    code = body_of("block act { gelu tanh }\ninput 4 -> dense 3 -> act -> dense 2")
    assert 'self.act1 = nn.GELU(approximate="tanh")' in code
    assert "class Act" not in code


def test_numbers_of_one_sequence_are_parameters_of_their_own():
    code = source_of(
        "block b(c, ks) { body: { 0: conv c ks[0] -> 1: conv c ks[1] } -> pool 2 }\n"
        "net n { input 3 32 32\nb 4 [3, 5] -> b 5 [5, 2] }"
    )
    assert "body_kernel_size: int" in code
    assert "body_kernel_size2: int" in code


def test_both_bounds_of_an_initializer_are_one_parameter():
    code = body_of(
        "block sine(c, reach) { dense c init=uniform(reach) -> sin }\n"
        "net n { input 2\nsine 4 0.5 -> sine 4 0.25 }"
    )
    assert "def __init__(self, in_channels: int, reach: float) -> None:" in code
    assert "nn.init.uniform_(self.dense1.weight, -reach, reach)" in code


def test_sizes_in_forward_are_parameters_of_one_class():
    code = body_of(SIZES)
    for name in ("Win", "Two", "Heads", "Piece", "Rest"):
        assert code.count(f"class {name}") == 1
    assert "self.k = k\n" in code
    assert "x = x[:, self.start : self.slice_stop]" in code
    assert "x[:, self.n :]" in code
    assert ".unflatten(2, self.rearrange_sizes).transpose(1, 2)" in code
    assert ".split([self.split, self.split2], dim=1)" in code


def test_parts_of_a_tensor_come_in_one_step():
    assert "value, by = x.chunk(2, dim=1)" in body_of(PARTS)
    assert "a, b, c = x.split([1, 3, 2], dim=2)" in body_of(LAYOUTS[4])
    assert "branch1, branch2, branch3, branch4 = x.unbind(1)" in body_of(LAYOUTS[3])
    assert "main = x[..., :2]" in body_of("input 3 6\nadd { slice c 0 2 | slice c 2 4 }")


def test_a_block_that_calls_itself_is_a_class_that_does():
    code = body_of(RECURSIVE)
    assert code.count("class Unet") == 2
    assert "Unet(c, 2 * c) if depth == 1 else UnetInner(c, 2 * c, depth=depth - 1)" in code
    assert "Level(c, 2 * c) if depth == 1 else LevelDown(c, 2 * c, depth=depth - 1)" in code
    assert "self.tail1 = Tail(4) if n == 1 else Tail2(4, n - 1)" in code
    assert code.count("class Odd") == code.count("class Tree") == 3  # nothing tells what is within


def test_a_richer_variant_is_named_for_what_it_adds():
    code = body_of("""
block unit(c, gated=false) {
  conv c 3 padding=1 -> if gated { mul { @ | gap -> gate: dense c -> sigmoid } }
}
net units { input 4 4 4 -> unit 4 -> unit 4 gated=true -> gap }
""")
    assert code.count("class Unit(") == code.count("class UnitGate(") == 1


def test_what_instances_lack_is_optional_in_one_class():
    code = target.emit(netspec.load(RESNET)).decode()
    assert "self.downsample: nn.Module = nn.Identity()\n        if in_channels != c:\n" in code
    assert "self.layer2 = nn.Sequential(Basic(64, 128, stride=2), Basic(128, 128))" in code
    assert "skip = self.downsample(x)\n        return self.relu(main + skip)" in code
    code = body_of(OPTIONS)
    assert "if gate:\n            layers.append(nn.BatchNorm2d(c))\n" in code
    assert "self.act = act()" in code
    assert "self.unit2 = Unit(4, 4, act=nn.Tanh)" in code
    assert "self.residual = in_channels == c and stride == 1\n" in code
    assert "return main + x if self.residual else main\n" in code
    code = body_of(
        "block unit(c, q) {\n"
        "if @.c == c { residual { conv q 1 -> conv c 1 } } else { conv q 1 -> conv c 1 } }\n"
        "net n { input 24 4 4\nunit 40 24 -> unit 40 32 -> unit 40 32 }"
    )
    assert "self.residual = in_channels == 40\n" in code  # and not != q, which is right as well


def test_the_bodys_variables_tell_their_part():
    code = body_of("input 8 4 4 -> mul { @ | gap -> dense 8 -> sigmoid } -> gap")
    assert "gate = self.sigmoid(self.dense1(gate))" in code
    assert "return (x * gate[:, :, None, None]).mean(dim=(2, 3))" in code


def test_variables_are_called_as_the_tensors_of_the_spec():
    code = body_of("""
        block gated(other) { mul { dense 4 | @other -> sigmoid } -> dense 4 }
        input 4
        @value = dense 4
        @torch = @value -> dense 4
        @range = gated (@torch)
        add { @range | @value }
    """)
    assert "def forward(self, x: Tensor, other: Tensor) -> Tensor:" in code
    assert "branch2 = self.sigmoid(other)" in code
    assert "value = self.dense1(x)\n        torch2 = self.dense2(value)\n" in code
    assert "range2 = self.gated1(x, torch2)\n        return range2 + value\n" in code


def test_a_state_is_handed_over_by_its_name():
    source = body_of(f"{HAND_OVER}\n@begun -> decode 6 @state -> decode 6 @state")
    assert "torch.cat(self.lstm1(text)[1]).transpose(0, 1).flatten(1)" in source
    assert "x = self.lstm1(x, hidden_and_cell(state, 6))[0]" in source
    assert "return self.gru1(x, state[None].contiguous())[0]" in source
    assert source.count("def forward(self, x: Tensor, state: Tensor) -> Tensor:") == 1


def test_source_is_deterministic_and_free_of_netspec():
    graph = netspec.load(RESNET)
    assert target.emit(graph) == target.emit(netspec.load(RESNET))
    assert "import netspec" not in target.emit(graph).decode()


def test_own_tensors_are_spread_without_copies():
    code = body_of(OWN)
    assert code.count(".expand(x.size(0)") == 1
    assert 'x + getattr(self, "0") + getattr(self.late["pos"], "0")' in code
    assert 'x * self.late["pos"].scale' in code


def test_a_group_without_a_word_is_a_class_too():
    assert "class Group(" in source_of("input 4 -> 0: { add { a: dense 4 | b: dense 4 } -> relu }")


def test_a_slice_to_the_end_of_one_instance_stops_in_another():
    block = "block rest(n) { slice t n 6 -> dense 4 }\ninput 8 4\n"
    code = source_of(f"{block}@a = slice t 0 6 -> rest 2 -> gap\nrest 1 -> gap\nadd {{ @ | @a }}")
    assert "x = x[:, self.n : 6]" in code
    code = source_of(
        f"{block}@a = slice t 0 6\n@b = slice t 2\nadd {{ @a -> rest 2 | @b -> rest 2 }}"
    )
    assert "x = x[:, 2:]" in code


def test_modules_called_by_numbers_are_items_of_their_class():
    code = source_of("""
        block two(c, more=true) { add { 0: conv c 1 | if more { 1: bn } -> 2: conv c 1 } }
        input 3 8 8 -> two 4 -> two 5 -> two 3 more=false
    """)
    assert "class Two(nn.ModuleDict):" in code
    assert 'self["0"] = nn.Conv2d(' in code
    assert 'self["1"] = nn.BatchNorm2d(in_channels) if more else nn.Identity()' in code
    assert "getattr" not in code


def test_an_activation_without_a_label_is_a_number_of_a_dictionary_too():
    code = source_of("""
        input 3 4 4
        main.0: conv 4 1 init=normal(0.02) -> relu -> main.2: conv 4 1 init=normal(0.02)
    """)
    assert 'self["1"] = nn.ReLU(inplace=True)' in code


@pytest.mark.parametrize("label", ["forward", "training", "half", "append"])
def test_names_that_modules_use_themselves_are_refused(label):
    with pytest.raises(SpecError) as caught:
        source_of(f"input 3 -> {label}: dense 2")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.id == "reserved-name"
    assert diagnostic.position is not None


def test_keys_that_a_dictionary_of_modules_uses_itself_are_refused():
    interrupted = "input 3 4 4 -> g.{0}: conv 3 1 -> relu -> {0}: conv 3 1 -> g.last: conv 3 1"
    with pytest.raises(
        SpecError, match=r"`values` in `g.values` is a name that torch.nn.ModuleDict"
    ):
        source_of(interrupted.format("values"))
    with pytest.raises(SpecError, match=r"`keys` in `b1.keys` is a name that torch.nn.ModuleDict"):
        source_of("block b { add { 0: conv 3 1 | keys: conv 3 1 } }\ninput 3 4 4 -> b -> b -> b")
    source_of("input 3 4 4 -> g: { values: conv 3 1 -> values2: conv 3 1 } -> values: relu")


def test_reserved_names_are_those_of_torch():
    def public(*classes):
        names = {name for each in classes for name, _ in inspect.getmembers(each)}
        return {name for name in names if not name.startswith("_")}

    assert public(torch.nn.Module, torch.nn.Sequential) | {"training"} <= RESERVED
    assert public(torch.nn.ModuleDict) <= RESERVED | DICT_NAMES


def test_unsupported_ops_are_refused_before_anything_is_written():
    graph = graph_of("input 3 8 8 -> avgpool 3 stride=2 padding=(0, 0, 1, 1) ceil=true -> gap")
    with pytest.raises(SpecError, match="uneven or wide padding"):
        netspec.compile(graph, target="torch")
