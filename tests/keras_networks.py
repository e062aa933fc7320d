"""Networks that show all that Keras's layers are combined to. Knows no framework."""

from __future__ import annotations

from pathlib import Path

from graphs import HOSTILE, HYPHENATED, NUMBERED, RECURSIVE

CASES = Path(__file__).parent / "cases"

CNN = """
input 3 16 16
conv 8 3 padding=same -> bn -> relu -> pool 2
residual { conv 8 3 groups=2 padding=1 bias=false -> bn momentum=0.03 -> gelu tanh }
mul { @ | gap -> dense 8 -> sigmoid }
conv 16 3 groups=8 stride=2 padding=1 -> bn affine=false
avgpool 3 stride=2 padding=1 ceil=true -> conv_transpose 4 3 stride=2 padding=1 output_padding=1
conv_transpose 6 3 groups=2 padding=1 -> pool 3 stride=2 padding=1
dense 12 -> dropout 0.5 -> dense 5 -> softmax
"""

INVERTED = """
block inverted(c, stride=1) {
  let hidden = @.c * 4
  residual when=(stride == 1 and @.c == c) {
    conv hidden 1 bias=false -> bn -> relu6
    -> conv hidden 3 stride=stride padding=1 groups=hidden bias=false -> bn -> relu6
    -> mul { @ | gap -> dense hidden -> sigmoid } -> conv c 1 bias=false -> bn
  }
}
net mobile {
  input 3 16 16
  conv 6 3 stride=2 padding=1 -> inverted 6 -> inverted 8 2 -> inverted 8 -> inverted 10 2 -> gap -> dense 3
}
"""

TWO_SIDED = """
@left = input 3 6 6
@right = input 3 6 6
@words = input 4 5
@unused = input 2
@a = @left -> conv 4 3 padding=1 -> relu
@b = @right -> conv 4 3 padding=1
add { @a | @b } -> dense 5
out logits=@, map=@b, again=@b, words=@words
"""


# Labels, blocks and parameters that mean something in the file itself.
SHADOWS = """
block skip(x, name=2) { conv x name padding=1 -> relu }
block conv2d(main) { add { conv main 3 padding=1 | @ } -> skip main -> skip (main + 1) 4 }
net layers {
  ops: input 3 9 9
  layers: conv 4 3 stride=2 padding=1 -> conv2d 4 -> keras: conv 4 3 stride=2 padding=1
  x: conv2d 4 -> outputs: dense 3
}
"""


VOLUME = """
input 4 5 6 5
conv 4 3 stride=2 padding=1 -> bn -> relu -> conv 8 3 groups=4 stride=(1, 2, 1) padding=1
conv 6 3 stride=2 padding=1 -> conv_transpose 4 2 stride=2 groups=2 -> dense 3
"""

TEMPORAL = """
block past(c, dilation) {
  add { conv c 3 dilation=dilation padding=causal -> bn -> relu | if @.c != c { conv c 1 } }
}
net temporal {
  input c=2 t=17
  past 6 1 -> past 6 2 -> past 6 4 -> depthwise 4 padding=same stride=2 multiplier=2
  mul { @ | gap -> dense 12 -> sigmoid } -> wsconv 8 3 padding=1 mode=reflect eps=1e-3
  conv 8 2 padding=causal stride=2 dilation=3 -> pool 3 stride=1 padding=causal
  conv_transpose 6 3 stride=2 padding=same groups=2 -> l2pool 2 -> adaptive_avgpool 3
  dense 5 -> permute "c t"
}
"""


# All sizes equal, the batch of 7 too: Keras on TensorFlow mistakes one axis for another in some sums.
EQUAL = """
input 7 7 7
conv 7 3 padding=1 -> bn -> relu -> conv 7 3 groups=7 padding=1 -> conv_transpose 7 1
conv_transpose 7 3 groups=7 padding=1 -> leaky_relu
@image = mul { @ | gap -> dense 7 -> sigmoid }
@words = input 7 7
@image -> gap -> dense 7 -> sub { @ | relu | sigmoid }
out vector=@, steps=(@words -> dense 7 -> add { @ | relu }), image=(@image -> max { @ | tanh })
"""


# A label inside of a block's scope, given outside of it.
INTERRUPTED = """
block b(c) { conv c 1 -> relu }
net n { input 3 4 4 -> b 3 -> conv 4 1 -> b1.more: conv 5 1 -> b 5 }
"""


UNSIZED = [
    ("input 1 4*?H 4*?W\nunet 4 depth=2 -> conv 2 1", [{"H": 2, "W": 3}, {"H": 3, "W": 1}]),
    (
        "input ?T 16\ndense 12 -> relu -> add { @ | conv 12 3 padding=same } -> dense 5 -> softmax",
        [{"T": 1}, {"T": 9}],
    ),
    (
        "input ?T 6\nconcat axis=t { slice t 0 2 | slice t 1 -1 step=2 | slice t -2 } -> dense 3",
        [{"T": 3}, {"T": 8}],
    ),
    (
        "input 3 ?H ?W\nconv 4 3 stride=2 padding=same -> bn -> pool 3 stride=2 padding=same"
        "-> pool 3 2 ceil=true -> mul { @ | gap -> dense 4 -> sigmoid } -> gap -> dense 3",
        [{"H": 33, "W": 18}, {"H": 20, "W": 27}],
    ),
]
"""Networks whose sizes are known only at run time, with some that they may have."""


# Softmax over more than five axes, norms whose channels are not last, numbers in front of the file's own layers.
FOUND_BY_FUZZING = [
    "input 3 4 3 2 -> unsqueeze n -> softmax -> log_softmax -> softmax axis=h",
    "input 5 6 4 -> gelu -> take 1 axis=h -> residual { sin -> rms -> layer_norm }",
    "input 6 6 8 -> roll h=1 w=-2 -> times 0.5 -> adaptive_avgpool 4 -> times 0.3 -> scale",
    "input 5 6 -> quick_gelu -> positions 5 -> rescale 0.2 -> sinusoidal -> shift",
]


NETWORKS = {
    "residual": (CASES / "residual" / "spec.net").read_text(),
    "cnn": CNN,
    "inverted": INVERTED,
    "two_sided": TWO_SIDED,
    "shadows": SHADOWS,
    "hostile": HOSTILE,
    "hyphenated": HYPHENATED,
    "numbered": NUMBERED,
    "volume": VOLUME,
    "temporal": TEMPORAL,
    "equal": EQUAL,
    "interrupted": INTERRUPTED,
    "recursive": RECURSIVE,
}
