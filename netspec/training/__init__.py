"""Training: data, the declaration of a run, its course. The loops stand behind the backends' door."""

from netspec.training.data import Data, Part, load_data
from netspec.training.history import History
from netspec.training.recipe import Recipe
from netspec.training.run import Result, train

__all__ = ["Data", "History", "Part", "Recipe", "Result", "load_data", "train"]
