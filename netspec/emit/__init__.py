"""What the source-emitting backends share: expressions, their layout as Python, and blocks found again in a flat graph."""
