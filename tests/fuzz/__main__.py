"""The long run: `python -m tests.fuzz --minutes 10 --seed 1 --targets torch,onnx,keras`. Saves what fails."""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from fuzz.networks import random_program, shrink
from fuzz.properties import check_any_text, check_program, mutated, noise, soup
from netspec.diagnostics import SpecError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--targets", default="", help="compare numbers, too: torch,onnx,keras")
    parser.add_argument("--gradients", action="store_true", help="compare training steps, too")
    parser.add_argument("--save", type=Path, default=Path("fuzz-failures"))
    options = parser.parse_args()
    targets = [target for target in options.targets.split(",") if target]
    workers = {}
    if targets:
        from fuzz.targets import Worker

        workers = {target: Worker(target) for target in targets}
    counts: Counter[str] = Counter()
    end, seed = time.monotonic() + 60 * options.minutes, options.seed
    while time.monotonic() < end:
        text = random_program(seed)
        counts["programs"] += 1
        checks: dict[str, Callable[[str], str | None]] = {"property": _judged}
        for target, worker in workers.items():
            checks[target] = partial(worker.ask, seed=seed, gradients=options.gradients)
        for name, check in checks.items():
            fault = check(text)
            if fault == "unsupported":
                counts[f"{name} unsupported"] += 1
            elif fault is None:
                counts[f"{name} agrees"] += 1
            else:
                counts[f"{name} FAILS"] += 1
                _save(options.save, name, seed, shrink(text, partial(_alike, check)), fault)
        chance = random.Random(seed)
        for wrong in (mutated(text, chance), mutated(text, chance), soup(chance), noise(chance)):
            counts["texts"] += 1
            try:
                check_any_text(wrong)
            except Exception as error:
                counts["texts FAIL"] += 1
                _save(options.save, "text", seed, wrong, repr(error))
        seed += 1
    for worker in workers.values():
        worker.close()
    for name, count in sorted(counts.items()):
        print(f"{count:8,} {name}")
    print(f"seeds {options.seed} to {seed - 1}, {options.minutes:g} minutes")
    sys.exit(any("FAIL" in name for name in counts))


def _judged(text: str) -> str | None:
    try:
        return check_program(text)
    except SpecError:
        raise
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:300]


def _alike(check: Callable[[str], str | None], text: str) -> str | None:
    """The kind of a fault, numbers left out, so that a shorter program may fail in the same way."""
    try:
        fault = check(text)
    except SpecError:
        return None
    if fault is None or "SpecError" in fault or fault == "unsupported":
        return None
    return "".join(character for character in fault if character.isalpha())[:24]


def _save(folder: Path, name: str, seed: int, text: str, fault: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{seed}.net"
    path.write_text(f"# {fault}\n{text}".replace("\0", "\\0"))
    print(f"{path}: {fault}", flush=True)


if __name__ == "__main__":
    main()
