"""What a run is told: networks, images, tasks, goals and budgets, checked before any work."""

from paenet.training.recipe.network import Activations, Backbone, Input
from paenet.training.recipe.plan import Budget, Channels, Goal, Prune, TaskPlan, Values, Widen
from paenet.training.recipe.recipe import (
    Recipe,
    dump_recipe,
    load_recipe,
    parse_addition,
    parse_recipe,
    place_weights,
    read_document,
)
from paenet.training.recipe.varying import at_fold, up_to

__all__ = [
    "Activations",
    "Backbone",
    "Budget",
    "Channels",
    "Goal",
    "Input",
    "Prune",
    "Recipe",
    "TaskPlan",
    "Values",
    "Widen",
    "at_fold",
    "dump_recipe",
    "load_recipe",
    "parse_addition",
    "parse_recipe",
    "place_weights",
    "read_document",
    "up_to",
]
