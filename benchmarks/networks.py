"""Networks as torchvision writes them by hand, with the names that checkpoints and specs share."""

from __future__ import annotations

import ast
import inspect
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

EXAMPLES = Path(__file__).parent.parent / "examples"


def by_hand() -> dict[str, tuple[type[nn.Module], ...]]:
    """For an example's name what it takes to write it by hand, the network last."""
    return {
        "resnet18": (BasicBlock, ResNet18),
        "resnet50": (Bottleneck, ResNet50),
        "mobilenet_v2": (ConvNormActivation, InvertedResidual, MobileNetV2),
        "densenet121": (DenseLayer, DenseBlock, Transition, DenseNet121),
        "vit_b_16": (EncoderBlock, Encoder, ViTB16),
    }


def handwritten(name: str) -> str:
    """The source of an example's network by hand."""
    return "\n".join(map(inspect.getsource, by_hand()[name]))


def code_lines(source: str) -> int:
    """Lines that say something: without imports, docstrings and blank lines."""
    tree = ast.parse(source)
    silent = {
        line for node in _silent(tree) for line in range(node.lineno, (node.end_lineno or 0) + 1)
    }
    rows = enumerate(source.splitlines(), start=1)
    return sum(bool(row.strip()) and number not in silent for number, row in rows)


def _silent(tree: ast.AST) -> Iterator[ast.stmt]:
    for node in ast.walk(tree):
        match node:
            case ast.Import() | ast.ImportFrom():
                yield node
            case ast.Module(body=[ast.Expr(value=ast.Constant(value=str())) as docstring, *_]):
                yield docstring
            case ast.ClassDef(body=[ast.Expr(value=ast.Constant(value=str())) as docstring, *_]):
                yield docstring
            case ast.FunctionDef(body=[ast.Expr(value=ast.Constant(value=str())) as docstring, *_]):
                yield docstring


class BasicBlock(nn.Module):
    """Two convolutions and a shortcut."""

    def __init__(self, inplanes: int, planes: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = None
        if stride != 1 or inplanes != planes:
            shortcut = nn.Conv2d(inplanes, planes, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(planes))

    def forward(self, x: Tensor) -> Tensor:
        """`(n, inplanes, h, w)` to `(n, planes, h / stride, w / stride)`."""
        identity = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.relu(out)


class ResNet18(nn.Module):
    """He et al., 2015."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        self.layer1 = nn.Sequential(BasicBlock(64, 64), BasicBlock(64, 64))
        self.layer2 = nn.Sequential(BasicBlock(64, 128, 2), BasicBlock(128, 128))
        self.layer3 = nn.Sequential(BasicBlock(128, 256, 2), BasicBlock(256, 256))
        self.layer4 = nn.Sequential(BasicBlock(256, 512, 2), BasicBlock(512, 512))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(512, classes)

    def forward(self, x: Tensor) -> Tensor:
        """`(n, 3, h, w)` to `(n, classes)`."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class Bottleneck(nn.Module):
    """Three convolutions, the middle one narrow, and a shortcut."""

    def __init__(self, inplanes: int, planes: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, 4 * planes, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * planes)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or inplanes != 4 * planes:
            self.downsample = nn.Sequential(
                nn.Conv2d(inplanes, 4 * planes, 1, stride, bias=False),
                nn.BatchNorm2d(4 * planes),
            )

    def forward(self, x: Tensor) -> Tensor:
        """`(n, inplanes, h, w)` to `(n, 4 * planes, h / stride, w / stride)`."""
        identity = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.relu(out)


class ResNet50(nn.Module):
    """He et al., 2015, with the stride in the middle of a bottleneck."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        self.layer1 = self._stage(64, 64, 3, stride=1)
        self.layer2 = self._stage(256, 128, 4, stride=2)
        self.layer3 = self._stage(512, 256, 6, stride=2)
        self.layer4 = self._stage(1024, 512, 3, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(2048, classes)

    @staticmethod
    def _stage(inplanes: int, planes: int, depth: int, stride: int) -> nn.Sequential:
        first = Bottleneck(inplanes, planes, stride)
        return nn.Sequential(first, *[Bottleneck(4 * planes, planes) for _ in range(depth - 1)])

    def forward(self, x: Tensor) -> Tensor:
        """`(n, 3, h, w)` to `(n, classes)`."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class ConvNormActivation(nn.Sequential):
    """Convolution that keeps the size at stride 1, norm, activation."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1
    ) -> None:
        padding = (kernel - 1) // 2
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU6(inplace=True),
        )


class InvertedResidual(nn.Module):
    """A wide depthwise convolution between two narrow ends."""

    def __init__(self, inputs: int, outputs: int, stride: int, expand: int) -> None:
        super().__init__()
        hidden = inputs * expand
        self.use_res_connect = stride == 1 and inputs == outputs
        layers: list[nn.Module] = []
        if expand != 1:
            layers.append(ConvNormActivation(inputs, hidden, kernel=1))
        layers += [
            ConvNormActivation(hidden, hidden, stride=stride, groups=hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        self.conv = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """`(n, inputs, h, w)` to `(n, outputs, h / stride, w / stride)`."""
        if self.use_res_connect:
            return x + self.conv(x)
        return self.conv(x)


class MobileNetV2(nn.Module):
    """Sandler et al., 2018."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        settings = [
            (1, 16, 1, 1),
            (6, 24, 2, 2),
            (6, 32, 3, 2),
            (6, 64, 4, 2),
            (6, 96, 3, 1),
            (6, 160, 3, 2),
            (6, 320, 1, 1),
        ]
        features: list[nn.Module] = [ConvNormActivation(3, 32, stride=2)]
        inputs = 32
        for expand, outputs, depth, first in settings:
            for i in range(depth):
                stride = first if i == 0 else 1
                features.append(InvertedResidual(inputs, outputs, stride, expand))
                inputs = outputs
        features.append(ConvNormActivation(inputs, 1280, kernel=1))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, classes))

    def forward(self, x: Tensor) -> Tensor:
        """`(n, 3, h, w)` to `(n, classes)`."""
        x = self.features(x)
        x = nn.functional.adaptive_avg_pool2d(x, (1, 1))
        x = torch.flatten(x, 1)
        return self.classifier(x)


class DenseLayer(nn.Module):
    """New channels beside those that came in."""

    def __init__(self, inputs: int, growth: int, factor: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(inputs, factor * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(factor * growth)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(factor * growth, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """`(n, inputs, h, w)` to `(n, inputs + growth, h, w)`."""
        new = self.conv1(self.relu1(self.norm1(x)))
        new = self.conv2(self.relu2(self.norm2(new)))
        return torch.cat([x, new], 1)


class DenseBlock(nn.Sequential):
    """Dense layers one after another."""

    def __init__(self, depth: int, inputs: int, growth: int, factor: int) -> None:
        super().__init__()
        for i in range(depth):
            layer = DenseLayer(inputs + i * growth, growth, factor)
            self.add_module(f"denselayer{i + 1}", layer)


class Transition(nn.Sequential):
    """Fewer channels on half the size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(inputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.pool = nn.AvgPool2d(2, 2)


class DenseNet121(nn.Module):
    """Huang et al., 2017."""

    def __init__(self, growth: int = 32, classes: int = 1000) -> None:
        super().__init__()
        depths = (6, 12, 24, 16)
        channels = 64
        self.features = nn.Sequential(
            OrderedDict(
                conv0=nn.Conv2d(3, channels, 7, 2, padding=3, bias=False),
                norm0=nn.BatchNorm2d(channels),
                relu0=nn.ReLU(inplace=True),
                pool0=nn.MaxPool2d(3, 2, padding=1),
            )
        )
        for i, depth in enumerate(depths):
            block = DenseBlock(depth, channels, growth, factor=4)
            self.features.add_module(f"denseblock{i + 1}", block)
            channels += depth * growth
            if i != len(depths) - 1:
                transition = Transition(channels, channels // 2)
                self.features.add_module(f"transition{i + 1}", transition)
                channels //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(channels))
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """`(n, 3, h, w)` to `(n, classes)`."""
        x = nn.functional.relu(self.features(x), inplace=True)
        x = nn.functional.adaptive_avg_pool2d(x, (1, 1))
        return self.classifier(torch.flatten(x, 1))


class EncoderBlock(nn.Module):
    """Attention and two dense layers, each behind a norm and beside a shortcut."""

    def __init__(self, heads: int, width: int, hidden: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(width, eps=1e-6)
        self.self_attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(width, hidden),
            nn.GELU(),
            nn.Identity(),
            nn.Linear(hidden, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """`(n, t, width)` to the same."""
        normed = self.ln_1(x)
        attended, _ = self.self_attention(normed, normed, normed, need_weights=False)
        x = x + attended
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    """Embedded positions, blocks, norm."""

    def __init__(self, steps: int, depth: int, heads: int, width: int, hidden: int) -> None:
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.empty(1, steps, width).normal_(std=0.02))
        layers = OrderedDict()
        for i in range(depth):
            layers[f"encoder_layer_{i}"] = EncoderBlock(heads, width, hidden)
        self.layers = nn.Sequential(layers)
        self.ln = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """`(n, steps, width)` to the same."""
        return self.ln(self.layers(x + self.pos_embedding))


class ViTB16(nn.Module):
    """Dosovitskiy et al., 2020."""

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        width, patch = 768, 16
        steps = (224 // patch) ** 2 + 1
        self.conv_proj = nn.Conv2d(3, width, patch, patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.encoder = Encoder(steps, depth=12, heads=12, width=width, hidden=3072)
        head = nn.Linear(width, classes)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        self.heads = nn.Sequential(OrderedDict(head=head))

    def forward(self, x: Tensor) -> Tensor:
        """`(n, 3, 224, 224)` to `(n, classes)`."""
        x = self.conv_proj(x).flatten(2).transpose(1, 2)
        token = self.class_token.expand(x.shape[0], -1, -1)
        x = torch.cat([token, x], dim=1)
        x = self.encoder(x)
        return self.heads(x[:, 0])
