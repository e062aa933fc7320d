"""The pages of training: what of data, recipes and runs does not fit together."""

from netspec.explain.page import Page

PAGES = {
    "bad-recipe": Page(
        "the declaration of a run of training contradicts itself, or has an impossible number",
        "The message names the option, or says which two do not go together.",
    ),
    "bad-data": Page(
        "data cannot be learned from",
        "Arrays are missing or of different lengths, or hold what a network does not take. A `.npz` file holds `x` "
        "and `y`, or `x_train` and `y_train`, and what is held out as `x_val` and `y_val`, `x_test` and `y_test`. "
        "A table has a row for each example, and a column of labels; a folder of pictures has a folder for each class.",
    ),
    "misshapen-data": Page(
        "examples or targets have another shape than the network's",
        "Arrays count examples along their first axis; the others are the spec's, channels first.",
    ),
    "small-batch": Page(
        "a batch has too few examples",
        "In training, batch norm takes mean and variance of the batch: of one example there is no variance. With "
        "several processes each needs an example of every batch.",
    ),
    "no-validation": Page(
        "a run is to stop early, and nothing is held out to judge it by",
        "What is learned from gets better to the end. Hold a part out with `--val-split`.",
    ),
    "diverged": Page(
        "the loss is no longer a finite number",
        "Steps were so large that each made the loss worse. A smaller learning rate, a warmup, or a bound on the "
        "gradients helps; so does data near 0 with a deviation near 1.",
    ),
    "not-distributed": Page(
        "`--distributed` is asked for in a process that stands alone",
        "torchrun starts the processes, and tells each which of them it is.",
    ),
    "no-device": Page(
        "there is no such device",
        "PyTorch finds no GPU that it can use: either there is none, or this PyTorch was built without CUDA.",
    ),
    "untrainable": Page(
        "a network cannot be trained with this loss, or not at all",
        "A run trains one result, and the loss has to fit it. Cross-entropy and `bce` take logits: a last `softmax` or "
        "`sigmoid` is left out in training.",
    ),
    "bad-script-name": Page(
        "a script that trains cannot be called so",
        "Python imports the network's file, which is called as the script. A script called `torch.py` would itself be "
        "imported in the place of PyTorch.",
    ),
    "bad-checkpoint": Page(
        "a checkpoint is none, or is of another run",
        "A run goes on exactly as if it had not stopped. So network, examples, framework and recipe have to be the "
        "same; only the number of epochs and the rules for stopping may change.",
    ),
}
