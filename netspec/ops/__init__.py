"""Every op of the language; importing this package makes them known."""

from netspec.ops.activation import (
    Gelu,
    LeakyRelu,
    LogSoftmax,
    Relu,
    Relu6,
    Sigmoid,
    Silu,
    Softmax,
    Tanh,
)
from netspec.ops.base import Example, Init, Op, Rejected, Weight, all_ops, find, names
from netspec.ops.conv import Conv, ConvTranspose
from netspec.ops.dense import Dense
from netspec.ops.dropout import Dropout
from netspec.ops.input import Input
from netspec.ops.merge import Add, Concat, Maximum, Mean, Multiply, Subtract
from netspec.ops.norm import BatchNorm
from netspec.ops.pool import AveragePool, GlobalAveragePool, MaxPool
from netspec.ops.reshape import Flatten

__all__ = [
    "Add",
    "AveragePool",
    "BatchNorm",
    "Concat",
    "Conv",
    "ConvTranspose",
    "Dense",
    "Dropout",
    "Example",
    "Flatten",
    "Gelu",
    "GlobalAveragePool",
    "Init",
    "Input",
    "LeakyRelu",
    "LogSoftmax",
    "MaxPool",
    "Maximum",
    "Mean",
    "Multiply",
    "Op",
    "Rejected",
    "Relu",
    "Relu6",
    "Sigmoid",
    "Silu",
    "Softmax",
    "Subtract",
    "Tanh",
    "Weight",
    "all_ops",
    "find",
    "names",
]
