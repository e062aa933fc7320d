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
}
