"""Proof that targets agree: each in its own process, held to the float64 reference."""

from netspec.parity.harness import verify
from netspec.parity.report import Report

__all__ = ["Report", "verify"]
