"""The language: text to tree to shaped graph. Knows ops by their declarations, and no target."""
