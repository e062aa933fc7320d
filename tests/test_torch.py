"""The torch target: every op against the float64 reference, torchvision's own numbers, and how the source reads."""

from __future__ import annotations

import inspect
import subprocess
import sys

import numpy as np
import pytest
import torch
from graphs import (
    HOSTILE,
    NUMBERED,
    example_graph,
    examples_graph,
    fit,
    graph_of,
    realised_by,
)

import netspec
from netspec.backend import load_backend
from netspec.backends.torch.class_source import DICT_NAMES, RESERVED
from netspec.backends.torch.module import emit_module
from netspec.diagnostics import SpecError
from netspec.ops import all_ops
from netspec.weights import init_weights, random_weights

target = load_backend("torch")
reference = load_backend("reference")

BATCHES = (1, 2, 7)
OPS = [op for op in all_ops() if op.kind != "input"]
INEXACT = ("celu", "hardsigmoid")
"""PyTorch's derivative of these holds a constant in float32, in a float64 module too."""
RESNET = "examples/resnet18.net"


def feeds_for(graph, batch):
    draws = np.random.default_rng(batch)
    return {
        node.name: fit(graph, node, draws.normal(size=(batch, *node.shape.sizes)))
        for node in graph.inputs
    }


def assert_close(found, wanted, limit):
    assert found.keys() == wanted.keys()
    for name, expected in wanted.items():
        assert found[name].shape == expected.shape, name
        scale = max(np.abs(expected).max(), 1e-3)
        assert np.abs(found[name] - expected).max() <= limit * scale, name


TANGLE = """
net tangle(classes=4) {
  input 2 9 8
  stem: conv 6 3 padding=1 bias=false -> bn -> relu
  @skip = @
  add { conv 6 3 padding=half bias=false -> bn -> silu | @ | mul { @ | gap -> dense 6 -> sigmoid } }
  -> concat { @ | @skip | avgpool 3 stride=1 padding=1 }
  @deep = @ -> pool 2 -> dense 8 bias=false -> gelu -> dropout 0.5 -> bn
  @deep -> dense classes
  out logits=@, embedding=@deep
}
"""
"""Values with several readers, several outputs, one of which others read."""


OPTIONS = """
block unit(c, stride=1, act=relu, gate=true) {
  residual when=(stride == 1 and @.c == c) {
    conv.0: conv c 3 stride=stride padding=1 -> if gate { conv.1: bn } -> act
  }
}
net options {
  input 3 8 8
  unit 4 -> unit 4 act=tanh -> unit 4 2 -> unit 6 -> unit 6 gate=false -> unit 6 -> gap
}
"""
"""Instances of a block, of which some lack what others have."""


def source_of(text):
    return target.emit(graph_of(text)).decode()


def body_of(text):
    """The emitted classes, without the file's docstring and imports."""
    return source_of(text).partition("from torch import Tensor, nn\n\n\n")[2]


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.kind)
def test_every_op_computes_what_the_reference_does(op):
    graph = examples_graph(op, target)
    weights = random_weights(graph)
    session = target.open_session(graph, weights, "float64")
    oracle = reference.open_session(graph, weights, "float64")
    for batch in BATCHES:
        feeds = feeds_for(graph, batch)
        assert_close(session.predict(feeds), oracle.predict(feeds), 1e-12)


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.kind)
def test_every_op_trains_as_the_reference_does(op):
    check_training(examples_graph(op, target), 1e-7 if op.kind in INEXACT else 1e-10)


@pytest.mark.parametrize("text", [TANGLE, OPTIONS], ids=["tangle", "options"])
def test_a_network_trains_as_the_reference_does(text):
    check_training(graph_of(text))


def check_training(graph, limit=1e-10):
    weights = random_weights(graph)
    feeds = feeds_for(graph, 7)
    draws = np.random.default_rng(0)
    sizes = {output.name: graph.by_name[output.node].shape.sizes for output in graph.outputs}
    cotangents = {name: draws.normal(size=(7, *size)) for name, size in sizes.items()}
    step = target.open_session(graph, weights, "float64").train_step(feeds, cotangents)
    oracle = reference.open_session(graph, weights, "float64").train_step(feeds, cotangents)
    assert_close(step.outputs, oracle.outputs, 1e-12)
    assert_close(step.gradients, oracle.gradients, limit)
    assert_close(step.statistics, oracle.statistics, 1e-12)


def test_every_op_has_a_row_or_a_reason():
    assert [op.kind for op in all_ops() if op not in target.ROWS] == ["input"]


def test_weights_go_in_and_come_out_unchanged():
    graph = netspec.load(RESNET, input_shape=(3, 32, 32))
    weights = random_weights(graph)
    module = netspec.build(graph, target="torch", weights=weights)
    found = netspec.get_weights(module, graph, target="torch")
    assert found.keys() == weights.keys()
    for name, array in weights.items():
        np.testing.assert_array_equal(found[name], array)


def test_a_live_module_takes_other_weights_and_no_wrong_ones():
    graph = netspec.load("examples/n3.net")
    module = netspec.build(graph, target="torch", seed=0)
    weights = init_weights(graph, 1)
    netspec.set_weights(module, graph, weights, target="torch")
    found = netspec.get_weights(module, graph, target="torch")
    for name, array in weights.items():
        np.testing.assert_array_equal(found[name], array)
    del weights["dense1.bias"]
    with pytest.raises(SpecError, match=r"the weights lack `dense1\.bias`"):
        netspec.set_weights(module, graph, weights, target="torch")
    with pytest.raises(SpecError, match=r"the model's weights lack `conv1\.weight`"):
        netspec.get_weights(module, netspec.load("examples/n4.net"), target="torch")


def test_the_same_seed_gives_the_initial_weights():
    graph = netspec.load("examples/n2.net")
    module = netspec.build(graph, target="torch", seed=3)
    found = netspec.get_weights(module, graph, target="torch")
    for name, array in init_weights(graph, 3).items():
        np.testing.assert_array_equal(found[name], array)


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
    for number, text in enumerate(LAYOUTS):
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


OWN = """
block shift(by) { add { @ | const [[by, 2, 3], [4, 5, 6]] } }
net own {
  input 2 3 -> shift 1 -> shift 0.5
  add { @ | 0: param 2 3 init=normal(0.02) | late.pos.0: param 2 3 init=constant(0.5) } -> dense 3
  mul { @ | late.pos.scale: param @.t @.c init=trunc_normal(0.02) } -> late.fc: dense 3
  concat axis=t { @ | const [[1, 2, 3]] | sinusoidal -> positions 9 }
}
"""
"""Tensors of the network's own, in groups and blocks, where they are spread and where they are not."""


SIZES = """
block win(k) { windows k -> layer_norm -> unwindows 12 12 -> times k }
block heads(c, n) {
  dense c -> rearrange "t (n d) -> n t d" n=n -> softmax axis=t -> rearrange "n t d -> t (n d)"
}
block two(c, parts) { conv c 1\n@a, @b = split parts\nadd { @a -> conv 3 1 | @b -> conv 3 1 } }
net sizes {
  input 4 12 12
  win 2 -> win 3 -> two 5 [2, 3] -> two 8 [6, 2] -> tokens -> heads 8 2 -> heads 12 3
}
"""
"""Blocks that differ in the sizes that their `forward` writes."""

PARTS = """
block gate { @value, @by = split 2\nmul { @value | @by -> sigmoid } }
net parts {
  input 8 4 6
  conv 8 1 -> gate
  @a, @b, @c = split [1, 1, 2]
  concat { @c | @a | @b } -> gate
}
"""


LAYOUTS = [
    HOSTILE,
    SIZES,
    PARTS,
    "input 4 6\nunstack t -> concat",
    "input 3 6\n@a, @b, @c = split [1, 3, 2]\nout a=@a, b=@b, c=@c",
    NUMBERED,
    OWN,
    "input 3 8 8 -> concat { conv 4 1 | conv 4 3 padding=1 | pool 3 stride=1 padding=1 } -> gap",
    "input 3 8 8 -> " + "concat { " + " | ".join(["conv 2 1"] * 12) + " }",
    "input 3 8 8 -> features.0: conv 4 3 -> relu -> features.3: conv 8 3 -> bn -> dense 2",
    "input 3 8 8 -> stem: { conv 4 3 -> bn -> relu } -> body: { residual { conv 4 1 } -> relu } -> gap",
    "@left = input 4\n@right = input 4\nadd { @left | @right } -> dense 3\nout sum=@, left=@left",
    "block se(r) { let c = @.c\nmul { @ | gap -> dense r -> relu -> dense c -> sigmoid } }\n"
    "net n { input 8 6 6\nse 2 -> conv 16 1 -> se 4 -> conv 16 1 -> se 8 }",
    "block wide(a, b, c, d, e) { conv a 1 -> conv b 1 -> conv c 1 -> conv d 1 -> conv e 1 }\n"
    "net n { input 1 4 4\nwide 1 2 3 4 5 -> wide 6 7 8 9 10 -> wide 11 12 13 14 15 }",
    "@torch = input 4\n@self = input 4\n@in2 = input 4\nout nn=(@torch -> relu), F=(add { @self | @in2 }), x=@torch",
    "input 3 9 9 -> conv 4 3 stride=2 padding=(0, 0, 1, 1) -> pool 3 stride=2 padding=(0, 0, 1, 1) -> gap",
]


@pytest.mark.parametrize("text", LAYOUTS)
def test_layouts_compute_what_the_reference_does(text):
    graph = graph_of(text)
    weights = random_weights(graph)
    feeds = feeds_for(graph, 2)
    found = target.open_session(graph, weights, "float64").predict(feeds)
    assert_close(found, reference.open_session(graph, weights, "float64").predict(feeds), 1e-12)
    module = netspec.build(graph, target="torch", weights=weights)
    counters = {f"{node.name}.num_batches_tracked" for node in graph.nodes}
    assert module.state_dict().keys() - counters == weights.keys()


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
    assert "nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 8, 3)" in features
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


def test_sizes_in_forward_are_parameters_of_one_class():
    code = body_of(SIZES)
    for name in ("Win", "Two", "Heads"):
        assert code.count(f"class {name}") == 1
    assert "self.k = k\n" in code
    assert ".unflatten(2, self.rearrange_sizes).transpose(1, 2)" in code
    assert ".split([self.split, self.split2], dim=1)" in code


def test_parts_of_a_tensor_come_in_one_step():
    assert "branch1, branch2 = x.chunk(2, dim=1)" in body_of(PARTS)
    assert "a, b, c = x.split([1, 3, 2], dim=2)" in body_of(LAYOUTS[4])
    assert "branch1, branch2, branch3, branch4 = x.unbind(1)" in body_of(LAYOUTS[3])
    assert "main = x[..., :2]" in body_of("input 3 6\nadd { slice c 0 2 | slice c 2 4 }")


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


def test_source_is_deterministic_and_free_of_netspec():
    graph = netspec.load(RESNET)
    assert target.emit(graph) == target.emit(netspec.load(RESNET))
    assert "import netspec" not in target.emit(graph).decode()


def test_own_tensors_are_spread_without_copies():
    code = body_of(OWN)
    assert code.count(".expand(x.size(0)") == 1
    assert 'x + getattr(self, "0") + getattr(self.late["pos"], "0")' in code
    assert 'x * self.late["pos"].scale' in code


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


def test_dropout_trains_and_vanishes_at_inference():
    module = netspec.build(graph_of("input 1000 -> dropout 0.25"), target="torch")
    ones = torch.ones(8, 1000)
    assert torch.equal(module(ones), ones)
    torch.manual_seed(0)
    values = module.train()(ones)
    assert values.unique().tolist() == pytest.approx([0, 4 / 3])
    assert values.mean().item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("line", "shape", "together"),
    [
        ("spatial_dropout 0.25", (20, 3, 2), (2, 3)),
        ("spatial_dropout 0.25", (6, 20), (1,)),
        ("spatial_dropout 0.25", (20, 2, 2, 2), (2, 3, 4)),
        ("drop_path 0.25", (20, 3, 2), (1, 2, 3)),
        ("drop_path 0.25", (6, 20), (1, 2)),
        ("drop_path 0.25", (20,), (1,)),
    ],
)
def test_dropout_drops_what_belongs_together(line, shape, together):
    size = " ".join(map(str, shape))
    module = netspec.build(graph_of(f"input {size} -> {line}"), target="torch")
    ones = torch.ones(4000 if "path" in line else 200, *shape)
    assert torch.equal(module(ones), ones)
    torch.manual_seed(0)
    values = module.train()(ones)
    assert torch.equal(values.amin(together), values.amax(together))
    assert values.unique().tolist() == pytest.approx([0, 4 / 3])
    assert (values == 0).float().mean().item() == pytest.approx(0.25, abs=0.03)


def test_alpha_dropout_keeps_mean_and_variance():
    module = netspec.build(graph_of("input 4000 -> alpha_dropout 0.3"), target="torch")
    torch.manual_seed(0)
    values = module.train()(torch.randn(50, 4000))
    assert values.mean().item() == pytest.approx(0, abs=0.02)
    assert values.var().item() == pytest.approx(1, abs=0.02)
    common, counts = values.unique(return_counts=True)
    assert counts.max().item() / values.numel() == pytest.approx(0.3, abs=0.01)
    assert common[counts.argmax()] < -1


def test_a_step_drops_every_example_at_rate_one():
    module = netspec.build(graph_of("input 3 -> drop_path 1"), target="torch").train()
    assert torch.equal(module(torch.ones(5, 3)), torch.zeros(5, 3))


def test_emitted_modules_are_exportable():
    check_export(netspec.load(RESNET, input_shape=(3, 64, 64)))


def test_numbered_modules_are_exportable():
    check_export(graph_of(NUMBERED))


def check_export(graph):
    module = netspec.build(graph, target="torch")
    x = torch.randn(2, *graph.inputs[0].shape.sizes)
    with torch.no_grad():
        wanted = module(x)
        exported = torch.export.export(module, (x,)).module()
        torch.testing.assert_close(exported(x), wanted)
