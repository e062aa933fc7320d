"""The pages of what goes wrong when a network is put to work: sampling, scoring, deployment."""

from netspec.explain.page import Page

PAGES = {
    "equal-samples": Page(
        "`run --samples` found nothing to average",
        "All runs gave the same numbers, so their deviation says nothing of how certain the network is. "
        "Either it has no dropout, or it was compiled without `--mc-dropout`, which keeps it on at inference.",
    ),
    "failed-run": Page(
        "ONNX Runtime stopped in the middle of a run",
        "The message has its reason. Mostly the numbers do not suit the network, such as a token that its embedding "
        "does not have; else memory has run out.",
    ),
    "no-data": Page(
        "`score` finds no data",
        "Data are Parquet, `.npy` and `.npz` files and images, folders of them, or patterns, which stand in "
        "quotes so that the shell leaves them alone. Names that begin with `_` or a dot are passed over.",
    ),
    "mixed-data": Page(
        "`score` finds files of several kinds",
        "One job reads Parquet, NumPy or images. Score each kind into a folder of its own.",
    ),
    "missing-column": Page(
        "a dataset lacks a column that is asked for",
        "An input of the model is fed by the column or array of its name, or by the only one that holds lists "
        "of numbers. Elsewhere `--column INPUT=COLUMN` says which.",
    ),
    "unfit-column": Page(
        "a column holds what no input or key can take",
        "An input takes numbers without gaps: one a row, or lists of equal length. A key has one value a row.",
    ),
    "unfit-labels": Page(
        "there are more or fewer labels than classes",
        "A file of labels has one line for each class, in their order.",
    ),
    "not-by-row": Page(
        "a result of a model has not one value for each row",
        "Scores belong to rows, so the first axis of each result counts them; `--softmax` and `--top-k` need a "
        "vector of scores for each.",
    ),
    "duplicate-column": Page(
        "two columns of the scores would have one name",
        "A key is called like an output of the model, or like `source` and `row`, which every output has.",
    ),
    "other-job": Page(
        "a folder holds something other than the beginning of this job",
        "The folder keeps the plan of its job: the model, the files with their sizes and times, the options and "
        "the parts. A run goes on only where all of that is the same, so that no part has rows of another job.",
    ),
    "busy-job": Page(
        "another run is at work on the output folder",
        "Two runs of one job would do the same twice. A lock on the plan tells; it ends with the run that holds it.",
    ),
    "damaged-part": Page(
        "a part holds another number of rows than was planned",
        "Parts appear whole or not at all, so something else has written to it. Without it the job does it anew.",
    ),
    "changed-data": Page(
        "a data file has other rows than when the job was planned",
        "Parts that are done belong to the file as it was. Data that changes is another job, in a folder of its own.",
    ),
    "served-version": Page(
        "a model repository has that version of the model already",
        "What a server may be using is not replaced: a new model is a new version.",
    ),
    "bad-batch": Page(
        "a preferred size of batch is above the largest",
        "`--preferred-batch` is one of 1 to `--max-batch`.",
    ),
    "worker-lost": Page(
        "worker processes die again and again",
        "A worker that is killed is replaced, and its part done anew. Where several die before anything is done, "
        "something is wrong with all: mostly memory.",
    ),
}
