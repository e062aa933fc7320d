"""The pages of files, weights, targets and runs: what a text alone does not bring about."""

from netspec.explain.page import Page

PAGES = {
    "unreadable-file": Page(
        "a file cannot be read",
        "It is not there, is a folder or a device, or may not be read; the message has the system's reason.",
    ),
    "unwritable-file": Page(
        "a file cannot be written",
        "The message has the system's reason. What was there before is still there.",
    ),
    "not-utf8": Page(
        "a spec is not UTF-8",
        "The message says which byte is wrong. Save the file as UTF-8.",
    ),
    "source-too-large": Page(
        "a spec's file is larger than is allowed",
        "It is hardly a spec: the bound is `source_bytes` in `netspec/limits.py`.",
    ),
    "bad-configuration": Page(
        "`[tool.netspec]` in a `pyproject.toml` is wrong",
        "Its keys are `select` and `ignore`, lists of lint rules and families of them, and "
        "`per-file-ignores`, a table from patterns of paths to such lists.",
    ),
    "bad-limit": Page(
        "`--limit` sets no limit",
        "It is written `--limit nodes=200000`; `netspec/limits.py` has the names.",
    ),
    "unknown-rule": Page(
        "a lint rule is selected or ignored that does not exist",
        "Rules are named by their ids, the first words of them, their families, or `all`. `netspec explain` "
        "lists them. Errors are no rules: what does not compile is always reported.",
    ),
    "unknown-diagnostic": Page(
        "`netspec explain` is asked for an id that does not exist",
        "`netspec explain` alone lists all ids.",
    ),
    "bad-graph": Page(
        "a JSON file is not a legal graph",
        "Graphs are written by `--target ir`, and proved to be legal when they are read: names, shapes, "
        "inputs and order.",
    ),
    "unknown-target": Page(
        "there is no target of that name",
        "Targets are `torch`, `keras`, `onnx` and `ir`, and what other packages bring.",
    ),
    "unknown-pass": Page(
        "there is no pass of that name",
        "`netspec passes` lists them.",
    ),
    "inference-only": Page(
        "a network that was rewritten for inference should train",
        "The passes move batch norms into other layers and leave dropout out, which changes what training "
        "does. Train the network as the spec has it; then compile it with `-O` and the weights.",
    ),
    "unsupported": Page(
        "a target cannot do what is asked",
        "Some ops or forms of them have no exact counterpart in a framework. That is said before anything "
        "is written, with the reason; another target may do it.",
    ),
    "missing-package": Page(
        "a command needs a package that is not installed",
        "The core needs no framework. The help has the command that installs what is missing.",
    ),
    "no-target": Page(
        "`verify` has nothing to compare",
        "None of the targets that were asked for is installed.",
    ),
    "name-clash": Page(
        "two paths become one name in Keras",
        "Keras's layers have `_` for the dots of a path, so that `a.b` and `a_b` are the same. Choose "
        "another label.",
    ),
    "reserved-name": Page(
        "a label is a name that PyTorch's modules use themselves",
        "An attribute such as `forward` or `train` would replace the module's own, and so would `keys` or `items` in a "
        "group that other layers interrupt or that has numbers for labels, which is an `nn.ModuleDict`. Choose another "
        "label.",
    ),
    "bad-opset": Page(
        "ONNX has no such operator set, or netspec does not write it",
        "The message has the sets that are written.",
    ),
    "model-too-large": Page(
        "an ONNX file cannot hold so many weights",
        "A single ONNX file holds less than 2 GiB. `netspec compile -o FILE.onnx` writes a larger one's weights into "
        "a file beside it.",
    ),
    "too-deep": Page(
        "a network is too deep for a framework to build",
        "Keras follows a chain of layers by recursion, which Python bounds. A deep network is cut into models "
        "within its model, but the uses of a shared layer stay in one, so there must not be many hundreds of them.",
    ),
    "unlike-model": Page(
        "a live model is not one of this graph",
        "Its layers or their weights are others than the graph's: it was built from another spec, or changed.",
    ),
    "foreign-tensor": Page(
        "a tensor of another `Net` is used",
        "Tensors of the Python builder belong to the `Net` that made them.",
    ),
    "bad-weight-file": Page(
        "a weight file is broken, or of no format that is read",
        "Read are safetensors, PyTorch's checkpoints, Keras's `.keras` and `.weights.h5`, and ONNX models; the "
        "content tells which. The message has what is wrong.",
    ),
    "unsafe-file": Page(
        "a weight file would do more than hold numbers",
        "It holds Python objects, which run code when they are read, refers to other places or files, or unpacks "
        "to more than it has bytes. Nothing of it was run. Save the state_dict() alone, or a file without links.",
    ),
    "several-states": Page(
        "a checkpoint holds several state dicts",
        "Such as those of a model and of its moving average. Choose one with `--key`.",
    ),
    "unknown-key": Page(
        "a checkpoint has no state dict of that key",
        "The help lists those that it has. Only PyTorch's checkpoints have keys.",
    ),
    "ambiguous-order": Page(
        "order and shape do not tell which tensor is which",
        "By order all shapes must follow each other as in the network, or all be different, and names must not "
        "say otherwise. Nothing is guessed: give the tensors the network's names, or the network theirs.",
    ),
    "unknown-order": Page(
        "a Keras file does not tell how its model flattens maps",
        "Keras flattens with the channels last, the spec has them first; emitted models permute before, and their "
        "files show it. For others say it with `--flatten`: the columns of the next dense layer depend on it.",
    ),
    "unlike-files": Page(
        "weight files that are averaged are not of one network",
        "They must hold the same tensors in the same shapes.",
    ),
    "no-target-named": Page(
        "nothing says what `compile` is to write",
        "Give `--target`, or a file whose name tells: `.onnx`, `.keras`, `.pt`.",
    ),
    "other-target": Page(
        "a file is called like one of another target",
        "`-o model.keras --target onnx` would be no file of Keras's. Leave `--target` out, or change the name.",
    ),
    "foreign-file": Page(
        "a file is in the way of one that is written beside a model",
        "A `.keras` model with classes of its own has their source beside it, `model.py` for `model.keras`. A file of "
        "that name that netspec did not write stays as it is. Choose another name for the model, or move the file.",
    ),
    "missing-weight": Page(
        "weights lack one that the network has",
        "They belong to another network, or to other labels or parameters of this one.",
    ),
    "extra-weight": Page(
        "weights have one that the network has not",
        "They belong to another network, or to other labels or parameters of this one. `netspec weights convert "
        "--ignore 'PATTERN'` leaves out what is named so.",
    ),
    "misshapen-weight": Page(
        "a weight has another shape than the network needs",
        "Layouts are PyTorch's: `(filters, channels, h, w)` for convolutions, `(out, in)` for dense layers.",
    ),
    "non-float-weight": Page(
        "a weight holds something other than floats",
        "Weights are float32 or float64.",
    ),
    "bad-table": Page(
        "a table of numbers is none",
        "A .csv has commas, a .tsv tabs; the first line may name the columns, and below it stand numbers. "
        "`--columns a,b` takes some of them.",
    ),
    "bad-normalisation": Page(
        "`--mean` or `--std` does not fit pictures",
        "Both have one number, or one for each channel, and no deviation is zero.",
    ),
    "bad-array-file": Page(
        "an array file is neither .npy nor .npz",
        "Save it with `numpy.save` or `numpy.savez`; pickled objects are not read.",
    ),
    "unnamed-array": Page(
        "several arrays are given without names",
        "Write `--input name=file.npy` for each input.",
    ),
    "unnamed-input": Page(
        "a model takes several inputs, and one array has no name",
        "Write `--input name=file.npy` for each input.",
    ),
    "several-outputs": Page(
        "several results do not fit into one .npy",
        "Name a .npz with `-o`.",
    ),
    "missing-input": Page(
        "a model is not given one of its inputs",
        "Write `--input name=file.npy` for each input.",
    ),
    "unknown-input": Page(
        "an array is given for an input that the model has not",
        "`netspec summary` shows the inputs of a spec.",
    ),
    "wrong-input-rank": Page(
        "an array has another number of axes than the input",
        "Arrays are batch first, then channels first: `1 x 3 x 32 x 32` for one image.",
    ),
    "wrong-input-size": Page(
        "an array has another size than the input",
        "Arrays are batch first, then channels first. Sizes are fixed when a spec is compiled: see `--input`.",
    ),
    "wrong-input-type": Page(
        "an array holds something that the input does not take",
        "Inputs take numbers, those with `dtype=int` whole ones.",
    ),
    "inexact-input": Page(
        "an array's numbers do not fit into the input's type",
        "They would be rounded to whole numbers, or overflow.",
    ),
    "unequal-inputs": Page(
        "arrays disagree on an axis that the inputs share",
        "All inputs have the same batch.",
    ),
    "unsupported-input": Page(
        "a model takes numbers of a type that NumPy has not",
        "Convert the model to float32 or float16.",
    ),
    "bad-model": Page(
        "ONNX Runtime cannot load a model",
        "The message has its reason: often the file needs a newer ONNX Runtime, or is none.",
    ),
    "provider-unavailable": Page(
        "the machine has not what a run was asked to use",
        "`--provider cuda` runs on CUDA or not at all; `auto` takes what there is.",
    ),
}
