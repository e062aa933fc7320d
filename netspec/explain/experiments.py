"""The pages of experiments: what cannot be compared, or chosen."""

from netspec.explain.page import Page

PAGES = {
    "no-variant": Page(
        "a form of a network that is asked for does not exist",
        "There is nothing of that name, it cannot go because what stands behind it takes another shape than what it "
        "reads, or nothing changes in the order asked for.",
    ),
    "bad-variant": Page(
        "steps cannot be added to a network",
        "`--add` is written `relu: dropout 0.3`: an op, a family, a path or a block, and behind the colon steps that "
        "give the shape which they are given.",
    ),
    "bad-choice": Page(
        "`--param` is no range and no list",
        "A range is `rate=0.1:0.5`, of whole numbers `width=16:64`, on a logarithmic scale `lr=1e-4:1e-1:log`; a list "
        "is `act=relu,gelu`.",
    ),
    "bad-study": Page(
        "the file of `--storage` is no study",
        "`netspec tune` writes it, and goes on from it. A file that holds anything else stays as it is.",
    ),
    "bad-experiment": Page(
        "an experiment can tell nothing",
        "A difference is judged by how runs scatter: that takes two seeds or folds at least, and something to "
        "compare with.",
    ),
}
