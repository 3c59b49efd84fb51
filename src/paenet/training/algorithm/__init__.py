"""Algorithm 1: one more task, from its goal to the proof that no older one has changed."""

from paenet.training.algorithm.addition import add_task
from paenet.training.algorithm.attempt import new_head
from paenet.training.algorithm.checking import check_data, check_material, material_of
from paenet.training.algorithm.stemming import stems_to_try

__all__ = ["add_task", "check_data", "check_material", "material_of", "new_head", "stems_to_try"]
