"""Random networks over all ops, what must hold of each, and comparing them across targets."""
