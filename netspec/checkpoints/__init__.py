"""Weights in files of every format: read, matched to a network, measured. Frameworks stay behind `netspec.backend`."""
