"""What the source-emitting backends share: expressions laid out as Python, blocks found in a flat graph."""
