"""Outputs of torchvision's own models for seeded weights, and the rule by which the weights were drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

_HERE = Path(__file__).parent


class Reference(NamedTuple):
    """A model of torchvision in eval mode: its tensors, an input, and the outputs in float64."""

    weights: dict[str, np.ndarray]
    inputs: list[np.ndarray]
    outputs: list[np.ndarray]
    macs: int
    trainable: int


def load_reference(name: str) -> Reference:
    """The reference of that model: two images, and, where it takes one, a third of an odd size."""
    meta = json.loads((_HERE / f"tv_{name}.json").read_text())
    arrays = np.load(_HERE / f"tv_{name}.npz")
    tensors = meta["param_list"] + meta["buffers"]
    shapes = {key: tuple(shape) for key, shape, _ in tensors}
    weights = {
        key: _draw(key, shapes[key], meta["seed"] * 1000003 + index, meta["gain"])
        for index, key in enumerate(meta["fill_order"])
    }
    sizes = [key for key in ("x", "x_alt") if key in arrays]
    images = [arrays[key] for key in sizes]
    inputs = [x.astype("f4") / np.float32(63.75) - np.float32(2) for x in images]
    outputs = [arrays[key.replace("x", "y") + "64"] for key in sizes]
    return Reference(weights, inputs, outputs, meta["macs"], meta["params"])


def _draw(name: str, shape: tuple[int, ...], seed: int, gain: float) -> Any:
    stream = np.random.RandomState(seed % 2**32)
    z = stream.standard_normal(shape)
    last = name.rpartition(".")[2]
    if last == "running_var":
        z = 0.75 + 0.5 * stream.random_sample(shape)
    elif last in ("bias", "in_proj_bias", "running_mean"):
        z *= 0.1
    elif last not in ("weight", "in_proj_weight"):
        z *= 0.5
    elif len(shape) == 1:
        z = gain * (1 + 0.2 * z)
    else:
        z *= np.sqrt(2.0 / np.prod(shape[1:]))
    return z.astype("f4")
