"""One row for each op: how ONNX realises it. A module for each family of `netspec.ops`, imported when needed."""
