"""Affine maps of the channels, on their way to where they cost nothing. For inference only."""
