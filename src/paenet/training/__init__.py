"""Algorithm 1: recipes, goals, stages, the loop, records, and going on where a run stopped."""

from paenet.training.adding import add, init, remove
from paenet.training.calibration import calibration_images
from paenet.training.comparison import FILE as COMPARISON
from paenet.training.comparison import compare, recipes_of
from paenet.training.errors import GoalMissed, RecipeError, RunError
from paenet.training.judging import judge
from paenet.training.machine import KINDS as CACHE_KINDS
from paenet.training.machine import (
    cache_folder,
    cache_sizes,
    clear_cache,
    keep_freed_memory,
    versions,
)
from paenet.training.quickstart import quickstart
from paenet.training.recipe import (
    Recipe,
    TaskPlan,
    at_fold,
    dump_recipe,
    load_recipe,
    parse_recipe,
    place_weights,
    up_to,
)
from paenet.training.records import Live, Reporter, Silent, read_record
from paenet.training.reporting import published_figures, report
from paenet.training.run import run

__all__ = [
    "CACHE_KINDS",
    "COMPARISON",
    "GoalMissed",
    "Live",
    "Recipe",
    "RecipeError",
    "Reporter",
    "RunError",
    "Silent",
    "TaskPlan",
    "add",
    "at_fold",
    "cache_folder",
    "cache_sizes",
    "calibration_images",
    "clear_cache",
    "compare",
    "dump_recipe",
    "init",
    "judge",
    "keep_freed_memory",
    "load_recipe",
    "parse_recipe",
    "place_weights",
    "published_figures",
    "quickstart",
    "read_record",
    "recipes_of",
    "remove",
    "report",
    "run",
    "up_to",
    "versions",
]
