"""One training in several processes: a part of each batch in each, and one answer. Knows no network."""

from __future__ import annotations

import atexit
import gc
from typing import TYPE_CHECKING, Any

from netspec.backend import need

if TYPE_CHECKING:
    from torch import Tensor, nn

    from netspec.training.examples import Objective
    from netspec.training.task import Place

torch: Any = need("torch", "torch")
dist: Any = torch.distributed
BatchNorm: Any = torch.nn.modules.batchnorm._BatchNorm


def joined(module: nn.Module, place: Place) -> nn.Module:
    """The module with batch norms over the whole batch of all processes, which are joined if they are not yet."""
    if place.world == 1:
        return module
    on_cpu = torch.device(place.device).type == "cpu"
    if not dist.is_initialized():
        dist.init_process_group("gloo" if on_cpu else "nccl")
        atexit.register(_leave)
    if not on_cpu:
        synced: nn.Module = torch.nn.SyncBatchNorm.convert_sync_batchnorm(module)
        return synced
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if isinstance(child, BatchNorm):
                setattr(parent, name, GlobalBatchNorm.like(child))
    return module


def _leave() -> None:
    """End the group's threads while Python is still whole: they may hold tensors, and models in cycles hold them."""
    gc.collect()
    dist.destroy_process_group()


def parallel(module: nn.Module, place: Place) -> nn.Module:
    """The module as it is trained: with gradients averaged over the processes."""
    if place.world == 1:
        return module
    model: nn.Module = torch.nn.parallel.DistributedDataParallel(module)
    return model


def share(
    batch: Tensor, place: Place, targets: Tensor, objective: Objective
) -> tuple[Tensor, float]:
    """The process's examples of a batch, and the factor that makes the average of all losses the batch's own.

    A loss is a mean over examples, or over their classes' weights; the shares of a last batch may differ. A process
    for which no example is left takes the first with the factor 0: each has to take part in every step.
    """
    mine = batch[place.rank :: place.world]
    if not len(mine):
        return batch[:1], 0.0
    part, whole = float(len(mine)), float(len(batch))
    if objective.class_weights is not None:
        weights = torch.tensor(objective.class_weights, dtype=torch.float64, device=targets.device)
        part, whole = (weights[targets[some]].sum().item() for some in (mine, batch))
    return mine, place.world * part / whole


def summed(totals: Tensor, place: Place) -> Tensor:
    """The sum over all processes."""
    if place.world > 1:
        dist.all_reduce(totals)
    return totals


class GlobalBatchNorm(BatchNorm):  # type: ignore[misc]  # PyTorch is not followed
    """Batch norm over the batches of all processes, on the CPU, where `nn.SyncBatchNorm` does not run."""

    @classmethod
    def like(cls, norm: Any) -> GlobalBatchNorm:
        """The same layer with the same state."""
        made = cls(norm.num_features, norm.eps, norm.momentum, norm.affine)
        made.load_state_dict(norm.state_dict())
        return made

    def _check_input_dim(self, x: Tensor) -> None:
        """Any: the layer that this one stands for has its own checks."""

    def forward(self, x: Tensor) -> Tensor:
        """`(n, c, ...)` to the same. Two passes, as a sum of squares would lose digits."""
        if not self.training:
            normed: Tensor = super().forward(x)
            return normed
        axes = [0, *range(2, x.dim())]
        spread = [1, -1, *[1] * (x.dim() - 2)]
        count = x.new_tensor([x.numel() // x.size(1)])
        sums = _Sum.apply(torch.cat([x.sum(axes), count]))
        mean, count = sums[:-1] / sums[-1], sums[-1].detach()
        centred = x - mean.view(spread)
        squares = _Sum.apply(centred.square().sum(axes))
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(squares / (count - 1), self.momentum)
            self.num_batches_tracked.add_(1)
        scale = (squares / count + self.eps).rsqrt()
        if not self.affine:
            return centred * scale.view(spread)
        return centred * (scale * self.weight).view(spread) + self.bias.view(spread)


class _Sum(torch.autograd.Function):  # type: ignore[misc]  # PyTorch is not followed
    """The sum over all processes; so is its gradient."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:  # noqa: ARG004 (PyTorch's signature)
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ARG004
        total: Tensor = gradient.clone()
        dist.all_reduce(total)
        return total
