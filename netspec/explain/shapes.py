"""The pages of what ops refuse: shapes, kinds and sizes that do not fit."""

from netspec.explain.page import Page

PAGES = {
    "window-too-large": Page(
        "a window does not fit into its input",
        "A convolution or pool without padding needs an input at least as large as its window, `dilation * "
        "(kernel - 1) + 1`. Usually the map has become small after many strides; the note tells where it "
        "comes from.",
        bad="input 1 6 6\nconv 8 7\n",
        good="input 1 6 6\nconv 8 7 padding=half\n",
    ),
    "padding-too-large": Page(
        "a pool is padded by its whole window or more",
        "Some windows would see padding alone, whose largest element does not exist.",
        bad="input 3 8 8\npool 2 padding=2\n",
        good="input 3 8 8\npool 2 padding=1\n",
    ),
    "output-padding-too-large": Page(
        "`output_padding` is not less than the stride",
        "It chooses among the output sizes that one stride gives, of which there are `stride`.",
        bad="input 3 8 8\nconv_transpose 8 3 stride=2 output_padding=2\n",
        good="input 3 8 8\nconv_transpose 8 3 stride=2 output_padding=1\n",
    ),
    "empty-output": Page(
        "an op would give a tensor without elements",
        "The padding of a transposed convolution takes away from its output, here all of it.",
        bad="input 3 2 2\nconv_transpose 8 3 padding=2\n",
        good="input 3 2 2\nconv_transpose 8 3 padding=1\n",
    ),
    "indivisible-groups": Page(
        "channels cannot be split into equal groups",
        "`groups` divides the input channels and the filters.",
        bad="input 3 8 8\nconv 8 3 groups=2\n",
        good="input 4 8 8\nconv 8 3 groups=2\n",
    ),
    "too-large": Page(
        "a tensor or a weight would be enormous",
        "It is refused before memory is spent. Usually an image is flattened where `gap` was meant, or a "
        "number is a slip.",
        bad="input 99999\ndense 2000000000\n",
        good="input 99999\ndense 20\n",
    ),
    "too-few-branches": Page(
        "a merge has fewer branches than it needs",
        "`add`, `concat` and their like work on two tensors or more: `add { a | b }`.",
        bad="input 8\nadd { dense 8 }\n",
        good="input 8\nadd { dense 8 | @ }\n",
    ),
    "unequal-branches": Page(
        "branches have shapes that do not go together",
        "`add` takes equal shapes, and what lacks axes of the others; `mul` gates with axes of size 1, too; "
        "`max` equal shapes only, and `concat` shapes that agree on all other axes. A strided branch needs a "
        "shortcut with the same stride.",
        bad="input 3 8 8\nadd { conv 8 3 padding=1 | @ }\n",
        good="input 3 8 8\nadd { conv 8 3 padding=1 | conv 8 1 }\n",
    ),
    "wrong-arity": Page(
        "an op is given more or fewer tensors than it takes",
        "An op that takes one tensor is given a list of them: join them with `concat` or `add` first.",
        bad="input 8\n@all += dense 4\n@all += dense 4\n@all -> relu\n",
        good="input 8\n@all += dense 4\n@all += dense 4\nconcat { @all } -> relu\n",
    ),
    "wrong-kind": Page(
        "an op is given a tensor of a kind that it does not take",
        "Vectors are `c`, sequences `t c`, images `c h w`, volumes `c d h w`. `gap` and `flatten` make "
        "vectors of images.",
        bad="input 8\nconv 8 3\n",
        good="input 3 8 8\nconv 8 3\n",
    ),
    "wrong-rank": Page(
        "an argument has another number of values than there are axes",
        "One value serves all axes; else there is one for each.",
        bad="input 3 8 8\nconv 8 3x3x3\n",
        good="input 3 8 8\nconv 8 3x3\n",
    ),
    "wrong-dtype": Page(
        "an op is given whole numbers for real ones, or the reverse",
        "Token ids are declared with `input 16 dtype=int`, and only ops that look something up take them.",
        bad="input 16 dtype=int\ndense 8\n",
        good="input 16\ndense 8\n",
    ),
    "uneven-split": Page(
        "a gated unit is given an odd number of features",
        "`glu` and its family multiply one half of the features with a function of the other.",
        bad="input 7\nglu\n",
        good="input 8\nglu\n",
    ),
    "bad-initializer": Page(
        "a weight cannot start as an initializer says",
        "Some initializers need a weight of a certain shape: the message says which.",
    ),
    "bad-sizes": Page(
        "a reshape asks for sizes that the tensor cannot have",
        "The elements stay the same, so that the sizes multiply to the same number. One of them may be "
        "-1, and follows from the others.",
        bad="input 12\nreshape 5 2\n",
        good="input 12\nreshape 6 2\n",
    ),
    "bad-pattern": Page(
        "a pattern of `rearrange` cannot be",
        "A pattern has the same axes on both sides of its arrow, each once, as in einops; sizes that do "
        "not follow from the input are given by name. The message says what is wrong with it.",
        bad='input 3 8 8\nrearrange "c h w -> h w"\n',
        good='input 3 8 8\nrearrange "c h w -> h w c"\n',
    ),
    "unknown-size": Page(
        "a size is needed that is known only at run time",
        "A weight, a fixed number of steps or a choice cannot depend on a size such as `?T`. Give the "
        "input a number there, or use an op that works at any size.",
        bad="input 3 ?H ?W\ndense 8\n",
        good="input 3 ?H ?W\ngap -> dense 8\n",
    ),
    "undetermined-size": Page(
        "the inputs do not tell what an unknown is",
        "An input's size is an unknown by itself, or a multiple of it and a number more, so that the size "
        "of an array tells what the unknown is.",
    ),
    "impossible-size": Page(
        "a network cannot take an input of such a size",
        "Sizes known only at run time are given a number, and some op refuses what follows from it.",
    ),
    "nothing-to-normalise": Page(
        "a norm has one number to normalise",
        "The mean of one number is the number, so that nothing but the norm's shift would be left. A map "
        "has become 1 x 1 before it: use a norm over the channels.",
        bad="input 3 1 1\ninstance_norm\n",
        good="input 3 1 1\nln\n",
    ),
    "even-size": Page(
        "a window that has a middle is given an even size",
        "`lrn` looks at as many channels before as after each, and at itself: its size is odd.",
        bad="input 8 4 4\nlrn 4\n",
        good="input 8 4 4\nlrn 5\n",
    ),
    "too-long": Page(
        "a sequence is longer than the table of positions",
        "A learned position belongs to each step of a sequence, up to the length that the table was made for.",
    ),
    "axis-taken": Page(
        "a new axis is called like one that the tensor has",
        "Axes are known by their letters, so each has its own.",
        bad="input 16 8 8\nunsqueeze h\n",
        good="input 16 8 8\nunsqueeze n\n",
    ),
    "no-axis-left": Page(
        "a reduction takes all axes away",
        "A tensor has one axis at least, beside the batch. `keep=true` leaves the axes with size 1.",
    ),
    "indivisible-heads": Page(
        "features cannot be split into equal heads",
        "Attention gives each head a part of the features, all of one width: `heads` divides the features, or "
        "`head_dim` says how wide a head is.",
    ),
    "too-many-branches": Page(
        "an op of two tensors is given more",
        "A product of matrices is one of two: write products of more as steps.",
    ),
}
