"""The rules of the linter, one module for each family."""
