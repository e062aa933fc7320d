"""Scores datasets of any size through ONNX Runtime: planned in shards, each of which becomes one part of the output."""

from __future__ import annotations

from netspec.scoring.job import Engine, Running, Summary, score
from netspec.scoring.plan import Choices

__all__ = ["Choices", "Engine", "Running", "Summary", "score"]
