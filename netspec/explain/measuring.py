"""The pages of `netspec bench` and `netspec quantize`."""

from netspec.explain.page import Page

PAGES = {
    "unknown-runtime": Page(
        "`netspec bench` is asked for a runtime that does not exist",
        "`netspec bench --help` lists them.",
    ),
    "missing-compiler": Page(
        "`torch.compile` is to be timed, and there is no C++ compiler",
        "It writes C++ and compiles it when the network runs first. Install g++, or name a compiler in the "
        "environment variable CXX.",
    ),
    "open-size": Page(
        "a network is to be timed whose spec leaves sizes open",
        "The time depends on them. Choose each with `--size NAME=N`, or give the spec another input with `--input`.",
    ),
    "unknown-open-size": Page(
        "`--size` names a size that the spec does not leave open",
        "Sizes that are left open are those with a `?` in an input: `?T` is called T.",
    ),
    "bad-picture": Page(
        "a picture is asked for in a format that is not drawn",
        "The name of the file says the format: .png, .svg or .pdf.",
    ),
    "accuracy-lost": Page(
        "a conversion to INT8 or float16 loses more than is allowed",
        "Nothing is written. More and more typical examples for `--calibrate`, or `--method entropy` or `percentile`, "
        "often help INT8; `--max-drop`, `--min-agreement` and `--max-error` say what may be lost.",
    ),
    "bad-labels": Page(
        "labels do not fit the network, the loss or the examples",
        "In training, cross-entropy takes whole numbers from 0 to the number of classes less one; `bce` takes numbers "
        "from 0 to 1. Where a conversion is to be judged, labels are whole "
        "numbers from 0, one for each example, or for each position where the network says a "
        "class for each. They are named by file and array: `--labels-in digits.npz:y`. Without labels there is no "
        "accuracy to bound: outputs are compared.",
    ),
    "weight-overflow": Page(
        "a weight is beyond what float16 holds",
        "float16 ends at 65,504. Such a network keeps float32, or is trained with smaller weights.",
    ),
}
