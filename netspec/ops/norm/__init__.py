"""Normalisations. Batch norm is apart, since most networks have no other."""
