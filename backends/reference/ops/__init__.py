"""One row for each op: what it means, in NumPy. A module for each family of `netspec.ops`, imported when needed."""
