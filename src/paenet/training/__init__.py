"""Algorithm 1: recipes, goals, stages, the loop, records, and going on where a run stopped."""

from paenet.training.environment import cache_folder, versions
from paenet.training.errors import GoalMissed, RecipeError, RunError
from paenet.training.progress import Live, Reporter, Silent
from paenet.training.recipe import Recipe, dump_recipe, load_recipe, parse_recipe
from paenet.training.run import run

__all__ = [
    "GoalMissed",
    "Live",
    "Recipe",
    "RecipeError",
    "Reporter",
    "RunError",
    "Silent",
    "cache_folder",
    "dump_recipe",
    "load_recipe",
    "parse_recipe",
    "run",
    "versions",
]
