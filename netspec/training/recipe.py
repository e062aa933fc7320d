"""The declaration of a run of training: the same in every framework. Knows no network, no data, no framework."""

from __future__ import annotations

from math import cos, pi
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from netspec.diagnostics import Diagnostic, SpecError

Loss: TypeAlias = Literal["cross-entropy", "bce", "mse", "mae", "huber"]
Optimizer: TypeAlias = Literal["adam", "adamw", "sgd"]
Schedule: TypeAlias = Literal["constant", "cosine", "linear", "step"]

_RATES = {"adam": 1e-3, "adamw": 1e-3, "sgd": 1e-2}
_DECAYS = {"adam": 0.0, "adamw": 1e-2, "sgd": 0.0}

_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Natural = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Recipe(BaseModel):
    """How a network is trained. What is None is chosen: by the optimizer as in PyTorch, the loss by the data.

    Adam is PyTorch's (Kingma and Ba, 2015; betas 0.9 and 0.999, epsilon 1e-8 after the correction of the bias),
    AdamW is Adam with decoupled decay (Loshchilov and Hutter, 2019), and momentum does not hold the learning rate.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: Annotated[int, Field(ge=1, description="How often each example is seen.")] = 10
    batch: Annotated[int, Field(ge=1, description="Examples of a step.")] = 32
    optimizer: Optimizer = "adam"
    lr: Annotated[_Positive | None, Field(description="Learning rate: 0.001; for sgd 0.01.")] = None
    momentum: Annotated[float, Field(ge=0, lt=1, description="Of sgd.")] = 0.0
    nesterov: Annotated[bool, Field(description="Nesterov's momentum.")] = False
    weight_decay: Annotated[_Natural | None, Field(description="None, but for adamw 0.01.")] = None
    decay: Annotated[
        Literal["l2", "decoupled"] | None,
        Field(description="Added to the gradient, or taken off the weight by itself (adamw)."),
    ] = None
    decay_all: Annotated[
        bool, Field(description="Let biases and the scales of norms decay, too.")
    ] = False
    clip_norm: Annotated[
        _Positive | None, Field(description="Bound on the norm of all gradients together.")
    ] = None
    loss: Loss | None = None
    class_weights: Literal["balanced"] | tuple[_Natural, ...] | None = None
    schedule: Schedule = "constant"
    warmup: Annotated[_Natural, Field(description="Epochs in which the rate rises.")] = 0.0
    step_epochs: Annotated[int, Field(ge=1, description="Of schedule `step`.")] = 10
    gamma: Annotated[float, Field(gt=0, le=1, description="Of schedule `step`.")] = 0.1
    early_stopping: Annotated[
        int | None, Field(ge=0, description="Epochs without improvement until the run ends.")
    ] = None
    min_delta: Annotated[_Natural, Field(description="What counts as improvement.")] = 0.0
    val_split: Annotated[float, Field(ge=0, lt=1, description="Part held out of training.")] = 0.0
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    precision: Literal["float32", "float64"] = "float32"

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Recipe:
        if self.optimizer != "sgd" and (self.momentum or self.nesterov):
            raise ValueError("momentum goes with the optimizer sgd")
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum")
        if self.optimizer == "adamw" and self.decay == "l2":
            raise ValueError("adamw is adam with decoupled decay: for l2 take adam")
        if self.decay is not None and not self.decay_rate:
            raise ValueError("decay says how weights decay: give weight_decay, too")
        if self.warmup > self.epochs:
            raise ValueError(f"a warmup of {self.warmup:g} epochs is longer than the run")
        return self

    @property
    def rate(self) -> float:
        """The learning rate that the schedule scales."""
        return _RATES[self.optimizer] if self.lr is None else self.lr

    @property
    def decay_rate(self) -> float:
        """The weight decay."""
        return _DECAYS[self.optimizer] if self.weight_decay is None else self.weight_decay

    @property
    def decoupled(self) -> bool:
        """Whether weights decay by themselves: by `learning rate * weight decay` of their value at each step."""
        return self.optimizer == "adamw" or self.decay == "decoupled"

    @property
    def is_constant(self) -> bool:
        """Whether the learning rate is the same at every step."""
        return self.schedule == "constant" and not self.warmup

    def rates(self, steps: int) -> list[float]:
        """The learning rate at each step of the run, with so many steps an epoch."""
        return [self.rate * self._factor(step, steps) for step in range(self.epochs * steps)]

    def _factor(self, step: int, steps: int) -> float:
        rising = round(self.warmup * steps)
        if step < rising:
            return (step + 1) / (rising + 1)
        done = (step - rising) / max(self.epochs * steps - rising, 1)
        match self.schedule:
            case "cosine":
                return (1 + cos(pi * done)) / 2
            case "linear":
                return 1 - done
            case "step":
                return float(self.gamma ** (step // steps // self.step_epochs))
            case "constant":
                return 1.0


def declare(**fields: Any) -> Recipe:
    """A recipe of these fields. Raises one `SpecError` for all that is wrong with them."""
    try:
        return Recipe(**fields)
    except ValidationError as error:
        raise SpecError(*map(_told, error.errors(include_url=False))) from None


def _told(fault: Any) -> Diagnostic:
    words = fault["msg"].removeprefix("Value error, ")
    place = "" if not fault["loc"] else f"`{str(fault['loc'][0]).replace('_', '-')}`: "
    return Diagnostic("bad-recipe", f"{place}{words[0].lower()}{words[1:]}")
