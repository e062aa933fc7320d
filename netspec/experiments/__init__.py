"""Questions that training answers: what a layer is worth (`ablate`), and which parameters suit (`tune`)."""

from netspec.experiments.ablation import Ablation, ablate
from netspec.experiments.search import tune
from netspec.experiments.space import Choice, read_choices
from netspec.experiments.tuning import Tuning
from netspec.experiments.variants import Variant, added, reordered, without

__all__ = [
    "Ablation",
    "Choice",
    "Tuning",
    "Variant",
    "ablate",
    "added",
    "read_choices",
    "reordered",
    "tune",
    "without",
]
