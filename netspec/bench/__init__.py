"""`bench`: the time that a network takes on every runtime. Below it, what runs and times in turns."""

from netspec.bench.harness import bench

__all__ = ["bench"]
