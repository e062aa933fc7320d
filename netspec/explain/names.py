"""The pages of names, values and files: what is not there, is there twice, or is something else."""

from netspec.explain.page import Page

PAGES = {
    "unknown-op": Page(
        "a step is called like no op and no block",
        "A step is an op, a block of the file or of one that it uses, or a block of the standard library. "
        "The help names the nearest of them.",
        bad="input 3 8 8\ncovn 8 3\n",
        good="input 3 8 8\nconv 8 3\n",
    ),
    "unknown-name": Page(
        "a name stands for nothing",
        "Bare names are variables, parameters, ops and blocks, or words that an op's argument takes, such "
        "as `half`. Names of tensors carry an `@`.",
        bad="net small(classes=10) { input 8 -> dense clases }\n",
        good="net small(classes=10) { input 8 -> dense classes }\n",
    ),
    "unknown-tensor": Page(
        "no tensor has that name here",
        "`@name = ...` names a tensor for the rest of its block. Tensors of a caller enter as arguments: "
        "`fuse @skip`.",
        bad="input 8\n@skip = dense 8\nadd { @ | @skp }\n",
        good="input 8\n@skip = dense 8\nadd { @ | @skip }\n",
    ),
    "unknown-function": Page(
        "an expression calls a function that does not exist",
        "The functions on numbers and lists are `min max sum round floor ceil abs int len range zip enumerate "
        "sqrt log2 divisible`. Ops are steps, and are written without brackets.",
        bad="input 8\ndense cel(3.5)\n",
        good="input 8\ndense ceil(3.5)\n",
    ),
    "unknown-argument": Page(
        "an op or a block has no argument of that name",
        "The message or the help lists those that it has.",
        bad="input 3 8 8\nconv 8 3 strides=2\n",
        good="input 3 8 8\nconv 8 3 stride=2\n",
    ),
    "unknown-parameter": Page(
        "`--set` names no parameter of the net",
        "`--set name=value` replaces a parameter of the net, or what `let` names in a file without a `net`.",
    ),
    "unknown-net": Page(
        "`--net` names no net of the file",
        "The help lists the nets that there are.",
    ),
    "unknown-axis": Page(
        "a tensor has no axis of that name",
        "Vectors have `c`, sequences `t c`, images `c h w` and volumes `c d h w`. A step before may have "
        "made a vector of an image.",
        bad="input 8\ndense @.h\n",
        good="input 8\ndense @.c\n",
    ),
    "not-an-op": Page(
        "a variable is called as a step, and holds no op or block",
        "A parameter such as `act=relu` holds an op and can be called. One that holds a number hides the op "
        "of its name.",
        bad="block unit(act=3) { dense 8 -> act }\ninput 8\nunit\n",
        good="block unit(act=relu) { dense 8 -> act }\ninput 8\nunit\n",
    ),
    "bad-argument": Page(
        "an argument has a value that its op does not take",
        "The message says what is taken, and the help what the argument means. A missing `->` makes the "
        "next step an argument of the one before.",
        bad="input 8\ndense 0\n",
        good="input 8\ndense 1\n",
    ),
    "missing-argument": Page(
        "an op or a block is not given what it needs",
        "Arguments without a default have to be given.",
        bad="input 3 8 8\nconv 8\n",
        good="input 3 8 8\nconv 8 3\n",
    ),
    "too-many-arguments": Page(
        "an op or a block is given more than it takes",
        "Usually an arrow is missing: blanks separate arguments, so that the next step reads as one.",
        bad="input 3 8 8\nrelu pool 2\n",
        good="input 3 8 8\nrelu -> pool 2\n",
    ),
    "repeated-argument": Page(
        "an argument is given twice",
        "Once by its place and once by its name, or twice by its name.",
        bad="input 3 8 8\nconv 8 3 kernel=5\n",
        good="input 3 8 8\nconv 8 kernel=5\n",
    ),
    "unexpected-tensor": Page(
        "an op is given a tensor as an argument",
        "Tensors reach ops through the arrow and through branches; only blocks take them as arguments.",
        bad="input 8\n@x = dense 8\nadd @x\n",
        good="input 8\n@x = dense 8\nadd { @ | @x }\n",
    ),
    "unexpected-branches": Page(
        "a step that takes no branches is given some",
        "Braces after `add`, `concat` and their like hold branches. After another op an arrow or the end of "
        "the line is missing.",
        bad="input 8\ndense 8 { relu }\n",
        good="input 8\ndense 8 -> relu\n",
    ),
    "wrong-branches": Page(
        "a `residual` has no body, or several",
        "`residual { body }` is `add { body | @ }`, and takes one body.",
        bad="input 8\nresidual { dense 8 | relu }\n",
        good="input 8\nresidual { dense 8 -> relu }\n",
    ),
    "wrong-type": Page(
        "a value is of another kind than it has to be",
        "Arithmetic takes numbers, loops and indices take lists, `.c` is a fact about a tensor, a result is "
        "one tensor.",
        bad="input 8\nlet c = [4, 8]\ndense 2*(c + 1)\n",
        good="input 8\nlet c = [4, 8]\ndense 2*(c[0] + 1)\n",
    ),
    "wrong-count": Page(
        "a list has another length than the names that take it apart",
        "`let a, b = list` and `for a, b in lists` need as many values as names.",
        bad="input 8\nfor c, n in [(8, 1, 2)] { repeat n { dense c } }\n",
        good="input 8\nfor c, n in [(8, 1)] { repeat n { dense c } }\n",
    ),
    "bad-function-argument": Page(
        "a function is given a value that it is not defined for",
        "The message says what the function takes.",
        bad="input 8\ndense sqrt(-4)\n",
        good="input 8\ndense int(sqrt(4))\n",
    ),
    "division-by-zero": Page(
        "an expression divides by zero",
        "`/`, `//` and `%` by 0, and negative powers of 0, have no value.",
        bad="input 8\nlet n = 0\ndense 8//n\n",
        good="input 8\nlet n = 2\ndense 8//n\n",
    ),
    "index-out-of-range": Page(
        "a list has no element of that number",
        "Elements are counted from 0; `list[-1]` is the last.",
        bad="input 8\nlet widths = [4, 8]\ndense widths[2]\n",
        good="input 8\nlet widths = [4, 8]\ndense widths[1]\n",
    ),
    "bad-name": Page(
        "a label cannot be the name of a layer",
        "Labels become attributes, layers and the names of weights: letters, digits and `_`, beginning with "
        "a letter and no word of Python's. More may follow behind a `-`, and parts joined by dots may be numbers.",
        bad="input 8\nclass: dense 4\n",
        good="input 8\nclassifier: dense 4\n",
    ),
    "duplicate-name": Page(
        "two layers or results would have the same name",
        "A weight is known by the path of its layer, so that a path is there once. In a loop, number the "
        "label: `layer{i}: ...`.",
        bad="input 8\nfc: dense 4\nfc: dense 2\n",
        good="input 8\nfc1: dense 4\nfc2: dense 2\n",
    ),
    "duplicate-definition": Page(
        "a name is defined twice",
        "Two nets, two blocks or two parameters of one name: whichever won, the other would be silently "
        "without effect. That holds for the blocks of used files too.",
        bad="block unit { relu }\nblock unit { sigmoid }\ninput 8\nunit\n",
        good="block unit { relu }\nblock gate { sigmoid }\ninput 8\nunit -> gate\n",
    ),
    "misplaced-out": Page(
        "`out` stands in a block",
        "`out` names the results of the net. A block's result is its last current tensor.",
        bad="block head { dense 4; out logits=@ }\ninput 8\nhead\n",
        good="block head { dense 4 }\ninput 8\nhead\nout logits=@\n",
    ),
    "step-outside-net": Page(
        "a file with nets has steps outside of them",
        "Beside a `net`, a file holds blocks and `let`s. A file without any `net` is one. A file that "
        "others use has no steps of its own.",
        bad="input 8\nnet small { input 8 -> dense 4 }\n",
        good="net small { input 8 -> dense 4 }\n",
    ),
    "several-nets": Page(
        "a file has several nets, and none is chosen",
        "Only one is compiled: choose it with `--net NAME`. `netspec check` looks at all of them.",
    ),
    "no-input": Page(
        "a step has no tensor to work on",
        "A net begins with `input`, or is given one with `--input 3x32x32`.",
        bad="dense 4\n",
        good="input 8\ndense 4\n",
    ),
    "no-output": Page(
        "a net ends without a tensor",
        "The result is the last current tensor, or what `out` names: a net with nothing but named tensors "
        "has none.",
        bad="net empty { let c = 3 }\n",
        good="net small { input 3 -> dense 3 }\n",
    ),
    "several-inputs": Page(
        "one size is given for a net with several inputs",
        "`--input` replaces the size of a single input. Change the sizes in the file, or make them parameters.",
    ),
    "bad-override": Page(
        "a parameter is set to what is no value, or where there is none",
        "`--set` is written `name=value`, with the value as in the language: `--set classes=10`, `--set norm=none`. In "
        "Python values are numbers, booleans, strings, `None` and lists of them. A graph that was saved as JSON is as "
        "it is: parameters, nets and inputs are a spec's.",
    ),
    "no-folder": Page(
        "a text that stands in no file uses files",
        "Paths are relative to the file where they stand, and a text from stdin or from Python stands in "
        "none. Give `folder=` to `netspec.parse`.",
    ),
    "outside-folder": Page(
        "a used file is outside of the spec's folder",
        "A spec reads files in its own folder and below it and follows no link out of it, so that compiling "
        "a spec of somebody else reads nothing of yours.",
    ),
    "circular-use": Page(
        "files use one another in a circle",
        "Put what both need into a third file.",
    ),
}
