"""Networks that share layers, for the tests of every target."""

from __future__ import annotations

HAND_OVER = """
block decode(c, state) { lstm c { @ | @state } -> gru c { @ | @state -> dense c } }
@text = input 5 6
@begun = input 4 6
@state = @text -> lstm 6 last=state
"""
"""One network's state starts others."""

SHARED = {
    "towers": """
share tower = { conv 4 3 bias=false -> bn -> relu -> pool 2; residual { conv 4 3 padding=1 -> bn } }
@left = input 1 9 9
@right = input 1 9 9
@a = @left -> tower
@b = @right -> tower
concat { @a | @b } -> dense 3
""",
    "heads": """
block unit(c) { conv c 3 padding=1 bias=false -> bn -> relu }
share head = { repeat 2 { unit 4 }; conv 2 3 padding=1 }
input 3 16 16
@p3 = conv 4 3 padding=1
@p4 = @p3 -> pool 2
@p5 = @p4 -> pool 2 padding=1
out p3=(@p3 -> head), p4=(@p4 -> head), p5=(@p5 -> head)
""",
    "each call its own": """
block unit(c) { conv c 3 padding=1 bias=false -> bn -> relu }
block pair(c) { share same = unit c; residual { same -> same } }
input 4 6 6
pair 4 -> pair 4 -> alone: unit 4 -> gap -> dense 2
""",
    "a parameter": """
block tail(e) { dense 7 -> e -> relu -> e }
input 7
share same = dense 7
tail same -> same -> tail same -> tied same
""",
    "shared in shared": """
share outer = { share inner = dense 7 bias=false -> bn; inner -> relu -> inner }
input 7
@unused = outer
outer -> outer
""",
    "interleaved": """
share a = dense 6 bias=false -> bn
share b = { relu -> a -> tanh -> dense 6 }
input 6
b -> b -> a
""",
    "order of statistics": """
share enc = { dense 6 bias=false -> bn -> relu -> dropout 0.5 }
@left = input 6
@right = input 6
@a = @left -> enc -> dense 6 -> relu -> dense 6
@b = @right -> dense 6 -> relu -> enc
@c = @left -> dense 6 -> enc
add { @b | @a | @c }
""",
    "tied": """
share code = dense 6
block head(t) { relu -> tied t }
input 5 7
code -> tanh -> scores: tied code -> code -> head code
""",
    "language model": """
share tok = embed 11 6
input 5 dtype=int
tok -> positions 5 -> dense 6 -> tanh -> dense 6 -> tied tok
""",
    "sequences": """
share cell = lstm 4
share local = conv 4 3 padding=1 bias=false -> bn -> relu
@left = input 5 4
@right = input 5 4
@a = @left -> local -> cell
@b = @right -> cell -> local
share end = lstm 2 layers=2 last=state
@ends = add { @a -> end | @b -> end }
concat { @a | @b } -> lstm 2 layers=2 { @ | @ends }
""",
    "detours": """
share down = conv 4 3 stride=2 padding=(0, 0, 1, 1) bias=false -> bn
share thin = conv 4 3 stride=2 padding=1
input 4 64 64
down -> thin -> down -> thin -> thin
""",
    "an image and a vector": """
share same = dense 4
@image = input 2 3 3
@vector = input 18
out x=(@image -> same), y=(@vector -> same)
""",
}
"""By what they show."""
