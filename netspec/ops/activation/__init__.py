"""Functions of each element, and softmax along one axis. Each room is imported when an op of it is asked for."""
