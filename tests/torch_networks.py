"""Networks that show all that emitted PyTorch is laid out for. Knows no framework."""

from __future__ import annotations

from graphs import HOSTILE, NUMBERED

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
block piece(start, n) { slice "c" start (start + n) -> conv 4 1 }
block rest(n) { concat { take n axis=t -> dense 2 | slice t n -> dense 3 -> gap } }
net sizes {
  input 4 12 12
  add { piece 0 2 | piece 1 3 }
  tokens -> concat { rest 1 | rest 4 | slice t 2 5 step=2 -> gap } -> dense 576 -> reshape 4 12 12
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
