"""A run of training as a PyTorch script that its owner can read, run and change. Trains nothing itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netspec.backends.torch.module import emit_module
from netspec.training import source

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
{constants}

def load(part):
    """Inputs and targets of a part of the examples."""
    data = np.load(HERE / "{stem}.npz")
{loaded}

def evaluate(model, {inputs}, y):
    """Loss and {metric} in inference mode."""
    model.eval()
    with torch.inference_mode():
{outputs}        loss = {plain_loss}
        return loss.item(), {measure}.item()
{factor}

def train(model):
    """Train, and tell of each epoch."""
    {inputs}, y = load("train")
{load_val}{optimizer}{scheduler}{watch}\
    for epoch in range(EPOCHS):
        model.train()
        total = 0.0
        order = np.random.default_rng([SEED, 0, epoch]).permutation(len(y)){kept}
        for batch in torch.from_numpy(order).split(BATCH):
            outputs = model({batch})
            loss = {loss}
            optimizer.zero_grad()
            loss.backward()
{clip}{shrink}            optimizer.step()
{advance}            total += loss.item() * len(batch)
        print(f"epoch {{epoch + 1}}: loss {{total / len(order):.4f}}")
{judge}{restore}
{keep}
def main():
    """Train a new network{and_test}."""
{kept_memory}    torch.manual_seed(SEED)
    model = {name}(){moved}
    train(model)
{test}    torch.save(model.state_dict(), HERE / "{stem}.pt")


if __name__ == "__main__":
    main()
'''

_ONE = {
    "inputs": "x",
    "loaded": """\
    return torch.from_numpy(data[f"x_{part}"]), torch.from_numpy(data[f"y_{part}"])
""",
    "outputs": """\
        outputs = torch.cat([model(batch) for batch in x.split(BATCH)])
""",
    "batch": "x[batch]",
}
_SEVERAL = {
    "inputs": "inputs",
    "loaded": """\
    inputs = [torch.from_numpy(data[f"{name}_{part}"]) for name in INPUTS]
    return inputs, torch.from_numpy(data[f"y_{part}"])
""",
    "outputs": """\
        batches = zip(*(x.split(BATCH) for x in inputs))
        outputs = torch.cat([model(*batch) for batch in batches])
""",
    "batch": "*(x[batch] for x in inputs)",
}
"""What differs between networks of one input and of several."""

_JUDGE = """\
        loss, {metric} = evaluate(model, *held_out)
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

_KEEP = '''
def keep_memory():
    """Have glibc keep what is freed: to get it back for the next step takes long."""
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(-4, 0)  # M_MMAP_MAX: large tensors come from the heap, too
        libc.mallopt(-1, -1)  # M_TRIM_THRESHOLD: and it does not shrink

'''

_LOSSES = {
    "cross-entropy": "F.cross_entropy",
    "bce": "F.binary_cross_entropy_with_logits",
    "mse": "F.mse_loss",
    "mae": "F.l1_loss",
    "huber": "F.huber_loss",
}


def emit_script(task: Task, module: str, stem: str, has_test: bool) -> tuple[str, str]:
    """The script, and the file of the network that it imports as `module`.

    The examples are in a file `stem`.npz: `x_train`, `y_train`, and the same of `val` and `test` where there are
    any. Several inputs have their names in the place of `x`.
    """
    network, name = emit_module(task.graph)
    recipe, metric, order = task.recipe, task.objective.metric, task.order
    has_val, patience = task.val is not None, recipe.early_stopping
    learned = order.steps * order.batch < order.examples
    margin = f" - {source.number(recipe.min_delta)}" if recipe.min_delta else ""
    script = _SCRIPT.format(
        name=name,
        stem=stem,
        module=module,
        metric=metric,
        **(_ONE if len(task.graph.inputs) == 1 else _SEVERAL),
        standard=source.imports(
            {
                "copy": patience is not None,
                "ctypes": task.has_kernels,
                "math": patience is not None or recipe.schedule == "cosine",
                "platform": task.has_kernels,
            }
        ),
        constants=source.constants(task) + _class_weights(task),
        plain_loss=_loss(task, "y", weighted=False),
        measure=_measure(task),
        factor=source.factor(task),
        load_val='    held_out = load("val")\n' if has_val else "",
        optimizer=_optimizer(task),
        scheduler=""
        if recipe.is_constant
        else "    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)\n",
        watch="" if patience is None else "    best, weights, waited = math.inf, None, 0\n",
        kept=f"[: {order.steps} * BATCH]" if learned else "",
        loss=_loss(task, "y[batch]", weighted=True),
        clip=""
        if recipe.clip_norm is None
        else f"            torch.nn.utils.clip_grad_norm_(model.parameters(), {source.number(recipe.clip_norm)})\n",
        shrink=_SHRINK.format(decay=source.number(recipe.decay_rate)) if _shrinks(task) else "",
        advance="" if recipe.is_constant else "            scheduler.step()\n",
        judge=(_JUDGE.format(metric=metric) if has_val else "")
        + ("" if patience is None else _PATIENCE.format(margin=margin)),
        restore=""
        if patience is None
        else "    if weights is not None:\n        model.load_state_dict(weights)\n",
        keep=_KEEP if task.has_kernels else "",
        kept_memory="    keep_memory()\n" if task.has_kernels else "",
        and_test=", test and keep it" if has_test else ", and keep it",
        moved=_moved(task),
        test=_TEST.format(metric=metric) if has_test else "",
    )
    return script, network


def _class_weights(task: Task) -> str:
    weights = task.objective.class_weights
    if weights is None:
        return ""
    dtype = "dtype=torch.float64" if task.recipe.precision == "float64" else ""
    values = [repr(weight) for weight in weights]
    return f"{source.listed('CLASS_WEIGHTS', values, '[]', 'torch.tensor', dtype)}\n"


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


def _shrinks(task: Task) -> bool:
    recipe = task.recipe
    return recipe.optimizer == "sgd" and recipe.decoupled and recipe.decay_rate > 0


def _optimizer(task: Task) -> str:
    """The optimizer, with its groups of weights where some do not decay."""
    recipe = task.recipe
    lines, weights, options = [], "model.parameters()", [f"lr={source.number(recipe.rate)}"]
    kind = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}[recipe.optimizer]
    if recipe.optimizer == "adam" and recipe.decoupled:
        kind = "AdamW"
    if kind == "SGD" and recipe.momentum:
        options.append(f"momentum={source.number(recipe.momentum)}")
        options += ["nesterov=True"] * recipe.nesterov
    if recipe.decay_rate and not recipe.decay_all:
        lines.append("decaying = [each for each in model.parameters() if each.ndim > 1]")
    elif _shrinks(task):
        lines.append("decaying = list(model.parameters())")
    if recipe.decay_rate and not _shrinks(task):
        if recipe.decay_all:
            options.append(f"weight_decay={source.number(recipe.decay_rate)}")
        else:
            weights = "groups"
            lines += [
                "others = [each for each in model.parameters() if each.ndim <= 1]",
                "groups = [",
                f'    {{"params": decaying, "weight_decay": {source.number(recipe.decay_rate)}}},',
                '    {"params": others, "weight_decay": 0.0},',
                "]",
            ]
    elif kind == "AdamW":
        options.append("weight_decay=0.0")
    options.append("fused=True")
    lines += _laid_out(f"optimizer = torch.optim.{kind}", [weights, *options])
    return "".join(f"    {line}\n" for line in lines)


def _laid_out(call: str, arguments: list[str]) -> list[str]:
    """A call in the body of a function as the formatters lay it out."""
    inner = ", ".join(arguments)
    if len(line := f"{call}({inner})") <= 84:
        return [line]
    rows = [inner] if len(inner) <= 80 else [f"{each}," for each in arguments]
    return [f"{call}(", *(f"    {row}" for row in rows), ")"]


def _moved(task: Task) -> str:
    """What becomes of a new module before it is trained."""
    if task.recipe.precision == "float64":
        return ".double()"
    if task.has_kernels:
        return ".to(memory_format=torch.channels_last)"
    return ""
