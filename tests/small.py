"""Small members of every family of the zoo, and small forms of the examples: what runs on every target."""

from __future__ import annotations

from pathlib import Path

import netspec
from netspec.ir import Graph

FOLDER = Path(__file__).parent.parent / "examples"

ZOO = {
    "alexnet": ("alexnet", 71, {"hidden": 16}),
    "convnext": ("convnext_tiny", 64, {"widths": (8, 12, 16, 24), "depths": (1, 1, 2, 1)}),
    "densenet": ("densenet121", 64, {"growth": 8, "depths": (2, 3, 1, 2)}),
    "efficientnet": ("efficientnet_b0", 71, {"width": 0.25, "depth": 0.5}),
    "efficientnet_v2": (
        "efficientnet_v2_s",
        64,
        {"stages": ((True, 1, 1, 8, 2), (True, 4, 2, 12, 1), (False, 4, 2, 16, 2))},
    ),
    "googlenet": ("googlenet", 75, {}),
    "inception_resnet_v2": ("inception_resnet_v2", 75, {"depths": (1, 1, 1)}),
    "mobilenet": ("mobilenet_v3_small", 71, {}),
    "mobilenet_v1": ("mobilenet_025", 71, {}),
    "mobileone": (
        "mobileone_s4",
        64,
        {
            "widths": (16, 24, 32, 32),
            "depths": (1, 2, 1, 1),
            "branches": 2,
            "squeezes": (0, 0, 1, 0),
        },
    ),
    "regnet": (
        "regnet_y_400mf",
        64,
        {"widths": (8, 16, 24, 32), "depths": (1, 2, 1, 2), "group": 8},
    ),
    "repvgg": ("repvgg_b1g2", 64, {"widths": (8, 12, 16, 24), "depths": (2, 2, 1, 1)}),
    "resnet": ("resnext50_32x4d", 64, {"depths": (1, 2, 1, 1)}),
    "resnet_v2": ("resnet50_v2", 71, {"depths": (2, 1, 2, 1)}),
    "squeezenet": ("squeezenet1_1", 75, {}),
    "swin": ("swin_t", 64, {"c": 12, "depths": (2, 1), "heads": (2, 3)}),
    "llama": (
        "tinyllama_1b",
        None,
        {"vocab": 30, "context": 12, "c": 16, "depth": 2, "heads": 4, "kv_heads": 2, "hidden": 24},
    ),
    "t5": (
        "t5_small",
        None,
        {"vocab": 30, "c": 12, "depth": 2, "heads": 2, "head_dim": 4, "hidden": 20},
    ),
    "yolov8": ("yolov8n", 64, {"classes": 5, "width": 1 / 16, "bins": 4}),
    "retinanet": (
        "retinanet_resnet50_fpn",
        64,
        {"classes": 3, "anchors": 2, "c": 8, "depths": (1, 1, 1, 1)},
    ),
    "ddpm": (
        "ddpm_cifar10",
        None,
        {"c": 32, "widths": (1, 2), "blocks": 1, "attended": (4,), "size": 8},
    ),
    "vgg": ("vgg11_bn", 71, {"plan": (8, 0, 12, 0, 16, 16, 0), "hidden": 16}),
    "vit": (
        "vit_b_16",
        32,
        {"depth": 2, "heads": 4, "c": 16, "hidden": 24, "patch": 8},
    ),
    "xception": ("xception", 75, {"depth": 1}),
    "lstm_tagger": ("lstm_tagger", None, {"vocab": 30, "c": 6, "hidden": 5}),
}
"""By file a net, the side of its images, and what makes it small."""

ZOO_SIZES = {"lstm_tagger": {"T": 9}, "llama": {"T": 9}, "t5": {"T": 9, "S": 7}}
"""What is known only at run time."""

EXAMPLES = {
    "line": {"input_shape": (3, 32, 32)},
    "n1": {},
    "n2": {},
    "n2 with a second dropout": {"overrides": {"head_rate": 0.5}},
    "n3": {},
    "n3 with dropout alone": {"overrides": {"norm": None}},
    "n3 with batch norm alone": {"overrides": {"rate": 0}},
    "n4": {"overrides": {"classes": 7}},
    "two_tower": {},
    "resnet18": {"input_shape": (3, 64, 64)},
    "resnet50": {"input_shape": (3, 64, 64), "overrides": {"depths": (1, 2, 1, 1)}},
    "mobilenet_v2": {"input_shape": (3, 64, 64), "overrides": {"width": 0.25}},
    "efficientnet_b0": {
        "input_shape": (3, 64, 64),
        "overrides": {"width": 0.25, "depth": 0.3},
    },
    "inception_v3": {"input_shape": (3, 96, 96), "overrides": {"auxiliary": False}},
    "densenet121": {"input_shape": (3, 64, 64), "overrides": {"depths": (2, 3, 1, 2)}},
    "vit_b_16": {
        "input_shape": (3, 12, 8),
        "overrides": {"depth": 2, "heads": 4, "c": 16, "hidden": 24, "patch": 4, "classes": 5},
    },
    "gpt2": {"overrides": {"depth": 2, "heads": 4, "c": 16, "vocab": 30, "context": 6}},
    "bert": {"overrides": {"depth": 2, "heads": 4, "c": 16, "vocab": 30, "t": 6}},
    "unet": {"overrides": {"c": 4, "depth": 2}},
    "tcn": {"overrides": {"t": 24, "widths": (5, 5, 6), "k": 3, "rate": 0.1}},
    "wavenet": {"overrides": {"t": 24, "q": 8, "c": 4, "s": 6, "layers": 3, "stacks": 2}},
    "transformer": {"overrides": {"vocab": 30, "t": 6, "c": 16, "depth": 2, "heads": 4}},
    "mlp_mixer": {
        "input_shape": (3, 12, 8),
        "overrides": {"c": 8, "depth": 2, "patch": 4, "classes": 5},
    },
    "perceiver": {
        "input_shape": (3, 4, 5),
        "overrides": {"latents": 3, "c": 16, "depth": 1, "looks": 2},
    },
    "vae": {"overrides": {"latent": 3, "hidden": 12}},
    "siren": {"overrides": {"c": 8, "depth": 2, "w": 2}},
    "dueling_dqn": {"input_shape": (4, 36, 40)},
    "seq2seq": {"overrides": {"source": 20, "target": 30, "c": 6, "units": 5}},
}
"""By file, and what tells two of one apart, what makes it small."""


def zoo_member(family: str) -> Graph:
    """The small member of a family."""
    net, side, overrides = ZOO[family]
    shape = None if side is None else (3, side, side)
    path = FOLDER / "zoo" / f"{family}.net"
    return netspec.load(path, net=net, input_shape=shape, overrides=overrides)


def example(name: str) -> Graph:
    """The example of that name, made small."""
    return netspec.load(FOLDER / f"{name.split()[0]}.net", **EXAMPLES[name])
