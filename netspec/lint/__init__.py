"""The linter: what compiles, and is still hardly meant. Importing this package makes its rules known."""

from netspec.lint.check import Report, check_source, fix_source
from netspec.lint.rule import Rule, all_rules, find
from netspec.lint.rules import activations, clarity, training, unused, windows  # noqa: F401

__all__ = ["Report", "Rule", "all_rules", "check_source", "find", "fix_source"]
