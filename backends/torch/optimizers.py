"""The recipe's optimizer as PyTorch's, and what it holds as arrays. Knows no network."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from netspec.backend import need

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from netspec.training.recipe import Recipe
    from netspec.weights import Array

torch = need("torch", "torch")


def make_optimizer(recipe: Recipe, module: nn.Module, decayed: Collection[str]) -> Optimizer:
    """Adam, AdamW or SGD, fused. Weights that do not decay are a group of their own."""
    rate, decay = recipe.rate, recipe.decay_rate
    learned = {name: each for name, each in module.named_parameters() if each.requires_grad}
    decaying = [each for name, each in learned.items() if name in decayed]
    others = [each for name, each in learned.items() if name not in decayed]
    groups: list[dict[str, Any]] = [{"params": list(learned.values())}]
    if decay:
        groups = [{"params": decaying, "weight_decay": decay}, {"params": others}]
        groups = [group for group in groups if group["params"]]
    if recipe.optimizer != "sgd":
        kind = torch.optim.AdamW if recipe.decoupled else torch.optim.Adam
        adam: Optimizer = kind(groups, lr=rate, weight_decay=0, fused=True)
        return adam
    if decay and recipe.decoupled:
        groups = [{"params": list(learned.values())}]
    sgd: Optimizer = torch.optim.SGD(
        groups, lr=rate, momentum=recipe.momentum, nesterov=recipe.nesterov, fused=True
    )
    if decay and recipe.decoupled:

        def shrink(optimizer: Optimizer, *_: object) -> None:
            """What AdamW does before its step; SGD's own decay is that of the gradient."""
            with torch.no_grad():
                for weight in decaying:
                    weight.mul_(1 - optimizer.param_groups[0]["lr"] * decay)

        sgd.register_step_pre_hook(shrink)
    return sgd


def hold(optimizer: Optimizer) -> dict[str, Array]:
    """Copies of what the optimizer holds, as `number of the parameter.name`."""
    state = optimizer.state_dict()["state"]
    return {
        f"{number}.{name}": value.numpy(force=True).copy()
        for number, held in state.items()
        for name, value in held.items()
        if value is not None
    }


def take(optimizer: Optimizer, state: Mapping[str, Array]) -> None:
    """Give back what `hold` gave, laid out in memory as the parameters are: fused steps rely on it."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    found: dict[int, dict[str, Any]] = {}
    for key, array in state.items():
        number, _, name = key.partition(".")
        value, weight = torch.from_numpy(array.copy()), weights[int(number)]
        if value.shape == weight.shape:
            value = torch.empty_like(weight, requires_grad=False).copy_(value)
        found.setdefault(int(number), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": found, "param_groups": groups})
