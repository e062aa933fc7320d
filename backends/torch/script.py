"""A run of training as a PyTorch script that its owner can read, run and change. Trains nothing itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netspec.backends.torch.module import emit_module

if TYPE_CHECKING:
    from netspec.training.task import Task

_SCRIPT = '''\
"""Trains {name} on the examples in {stem}.npz, and saves its weights as {stem}.pt."""

{standard}from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from {module} import {name}

HERE = Path(__file__).parent
EPOCHS = {epochs}
BATCH = {batch}
SEED = {seed}
{constants}

def load(part):
    """Inputs and targets of a part of the examples."""
    data = np.load(HERE / "{stem}.npz")
    return torch.from_numpy(data[f"{{part}}_x"]), torch.from_numpy(data[f"{{part}}_y"])


def evaluate(model, x, y):
    """Loss and {metric} in inference mode."""
    model.eval()
    with torch.inference_mode():
        outputs = torch.cat([model(batch) for batch in x.split(BATCH)])
        loss = {plain_loss}
        return loss.item(), {measure}.item()

{factor}
def train(model):
    """Train, and tell of each epoch."""
    x, y = load("train")
{load_val}{optimizer}{scheduler}{watch}\
    for epoch in range(EPOCHS):
        model.train()
        total = 0.0
        order = np.random.default_rng([SEED, 0, epoch]).permutation(len(x)){kept}
        for batch in torch.from_numpy(order).split(BATCH):
            outputs = model(x[batch])
            loss = {loss}
            optimizer.zero_grad()
            loss.backward()
{clip}{shrink}            optimizer.step()
{advance}            total += loss.item() * len(batch)
        print(f"epoch {{epoch + 1}}: loss {{total / len(order):.4f}}")
{judge}{restore}

def main():
    """Train a new network{and_test}."""
    torch.manual_seed(SEED)
    model = {name}(){moved}
    train(model)
{test}    torch.save(model.state_dict(), HERE / "{stem}.pt")


if __name__ == "__main__":
    main()
'''

_FACTOR = '''
def factor(step):
    """The part of the learning rate at a step, from 0."""
{warmup}    return {part}

'''

_JUDGE = """\
        loss, {metric} = evaluate(model, val_x, val_y)
        print(f"    held out: loss {{loss:.4f}}, {metric} {{{metric}:.4f}}")
"""

_PATIENCE = """\
        if loss < best{margin}:
            best, weights, waited = loss, copy.deepcopy(model.state_dict()), 0
        else:
            waited += 1
        if waited >= PATIENCE and epoch > 0:
            break
"""

_TEST = """\
    loss, {metric} = evaluate(model, *load("test"))
    print(f"test: loss {{loss:.4f}}, {metric} {{{metric}:.4f}}")
"""

_SHRINK = """\
            with torch.no_grad():
                for weight in decaying:
                    weight *= 1 - optimizer.param_groups[0]["lr"] * {decay}
"""

_LOSSES = {
    "cross-entropy": "F.cross_entropy",
    "bce": "F.binary_cross_entropy_with_logits",
    "mse": "F.mse_loss",
    "mae": "F.l1_loss",
    "huber": "F.huber_loss",
}


def emit_script(task: Task, module: str, stem: str, has_test: bool) -> tuple[str, str]:
    """The script, and the file of the network that it imports as `module`.

    The network has one input. The examples are in a file `stem`.npz: `train_x`, `train_y`, and the same of `val`
    and `test` where there are any.
    """
    source, name = emit_module(task.graph)
    recipe, metric, order = task.recipe, task.objective.metric, task.order
    has_val, patience = task.val is not None, recipe.early_stopping
    learned = order.steps * order.batch < order.examples
    margin = f" - {_number(recipe.min_delta)}" if recipe.min_delta else ""
    script = _SCRIPT.format(
        name=name,
        stem=stem,
        module=module,
        metric=metric,
        epochs=recipe.epochs,
        batch=recipe.batch,
        seed=recipe.seed,
        standard="".join(
            f"import {each}\n"
            for each, used in (
                ("copy", patience is not None),
                ("math", patience is not None or recipe.schedule == "cosine"),
            )
            if used
        ),
        constants=_constants(task),
        plain_loss=_loss(task, "y", weighted=False),
        measure=_measure(task),
        factor="" if recipe.is_constant else _factor(task),
        load_val='    val_x, val_y = load("val")\n' if has_val else "",
        optimizer=_optimizer(task),
        scheduler=""
        if recipe.is_constant
        else "    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)\n",
        watch="" if patience is None else "    best, weights, waited = math.inf, None, 0\n",
        kept=f"[: {order.steps} * BATCH]" if learned else "",
        loss=_loss(task, "y[batch]", weighted=True),
        clip=""
        if recipe.clip_norm is None
        else f"            torch.nn.utils.clip_grad_norm_(model.parameters(), {_number(recipe.clip_norm)})\n",
        shrink=_SHRINK.format(decay=_number(recipe.decay_rate)) if _shrinks(task) else "",
        advance="" if recipe.is_constant else "            scheduler.step()\n",
        judge=(_JUDGE.format(metric=metric) if has_val else "")
        + ("" if patience is None else _PATIENCE.format(margin=margin)),
        restore=""
        if patience is None
        else "    if weights is not None:\n        model.load_state_dict(weights)\n",
        and_test=", test and keep it" if has_test else ", and keep it",
        moved=_moved(task),
        test=_TEST.format(metric=metric) if has_test else "",
    )
    return script, source


def _constants(task: Task) -> str:
    recipe, found = task.recipe, []
    if recipe.early_stopping is not None:
        found.append(f"PATIENCE = {max(recipe.early_stopping, 1)}")
    if not recipe.is_constant:
        found.append(f"STEPS = {task.order.steps}  # of an epoch")
    if recipe.warmup:
        found.append(f"WARMUP = {round(recipe.warmup * task.order.steps)}  # steps")
    if (weights := task.objective.class_weights) is not None:
        dtype = ", dtype=torch.float64" if recipe.precision == "float64" else ""
        line = f"CLASS_WEIGHTS = torch.tensor([{', '.join(map(repr, weights))}]{dtype})"
        if len(line) > 88:
            rows = "".join(f"        {weight!r},\n" for weight in weights)
            tail = f"    {dtype[2:]},\n" if dtype else ""
            line = (
                f"CLASS_WEIGHTS = torch.tensor(\n    [\n{rows}    ]{',' if tail else ''}\n{tail})"
            )
        found.append(line)
    return "".join(f"{line}\n" for line in found)


def _loss(task: Task, targets: str, *, weighted: bool) -> str:
    """The loss of `outputs` as an expression."""
    objective = task.objective
    call, outputs, more = _LOSSES[objective.loss], "outputs", ""
    if objective.loss == "cross-entropy":
        if (axis := 1 + objective.output.axes.index("c")) > 1:
            outputs = f"outputs.movedim({axis}, 1)"
        if weighted and objective.class_weights is not None:
            more = ", CLASS_WEIGHTS"
    return f"{call}({outputs}, {targets}{more})"


def _measure(task: Task) -> str:
    objective = task.objective
    if objective.metric == "mae":
        return "F.l1_loss(outputs, y)"
    if objective.loss == "bce":
        return "((outputs > 0) == (y > 0.5)).double().mean()"
    return f"(outputs.argmax({1 + objective.output.axes.index('c')}) == y).double().mean()"


def _factor(task: Task) -> str:
    recipe = task.recipe
    warmup = ""
    if recipe.warmup:
        warmup = "    if step < WARMUP:\n        return (step + 1) / (WARMUP + 1)\n"
        done = "(step - WARMUP) / (EPOCHS * STEPS - WARMUP)"
    else:
        done = "step / (EPOCHS * STEPS)"
    part = {
        "cosine": f"(1 + math.cos(math.pi * {done})) / 2",
        "linear": f"1 - {done}",
        "step": f"{_number(recipe.gamma)} ** (step // STEPS // {recipe.step_epochs})",
        "constant": "1.0",
    }[recipe.schedule]
    return _FACTOR.format(warmup=warmup, part=part)


def _number(value: float) -> str:
    """As short as it can be, and to the last digit."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _shrinks(task: Task) -> bool:
    recipe = task.recipe
    return recipe.optimizer == "sgd" and recipe.decoupled and recipe.decay_rate > 0


def _optimizer(task: Task) -> str:
    """The optimizer, with its groups of weights where some do not decay."""
    recipe = task.recipe
    lines, weights, options = [], "model.parameters()", [f"lr={_number(recipe.rate)}"]
    kind = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}[recipe.optimizer]
    if recipe.optimizer == "adam" and recipe.decoupled:
        kind = "AdamW"
    if kind == "SGD" and recipe.momentum:
        options.append(f"momentum={_number(recipe.momentum)}")
        options += ["nesterov=True"] * recipe.nesterov
    if recipe.decay_rate and not recipe.decay_all:
        lines.append("decaying = [each for each in model.parameters() if each.ndim > 1]")
    elif _shrinks(task):
        lines.append("decaying = list(model.parameters())")
    if recipe.decay_rate and not _shrinks(task):
        if recipe.decay_all:
            options.append(f"weight_decay={_number(recipe.decay_rate)}")
        else:
            weights = "groups"
            lines += [
                "others = [each for each in model.parameters() if each.ndim <= 1]",
                "groups = [",
                f'    {{"params": decaying, "weight_decay": {_number(recipe.decay_rate)}}},',
                '    {"params": others, "weight_decay": 0.0},',
                "]",
            ]
    elif kind == "AdamW":
        options.append("weight_decay=0.0")
    call = f"optimizer = torch.optim.{kind}({weights}, {', '.join(options)})"
    if len(call) > 84:
        inner = f"    {weights}, {', '.join(options)}"
        call = f"optimizer = torch.optim.{kind}(\n    {inner}\n    )"
    lines.append(call)
    return "".join(f"    {line}\n" for line in lines)


def _moved(task: Task) -> str:
    """What becomes of a new module before it is trained."""
    if task.recipe.precision == "float64":
        return ".double()"
    if any(len(weight.shape) == 4 for _, weight in task.graph.weights()):
        return ".to(memory_format=torch.channels_last)"
    return ""
