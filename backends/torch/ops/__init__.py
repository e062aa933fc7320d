"""One row for each op: how PyTorch realises it. A module for each family of `netspec.ops`, imported when needed."""
