"""The tensors of a file, taken one by one as the network asks for them."""

from collections.abc import Mapping

from torch import Tensor

from paenet.packfile.errors import PackFileError
from paenet.packfile.tensors import sketch


class Shelf:
    """Tensors by name, each of which must be asked for once."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._left = dict(tensors)

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def take(self, name: str, like: Tensor | None = None) -> Tensor:
        """The tensor of that name, which must have the shape and sort of numbers of `like`.

        Raises:
            PackFileError: where it is missing, or something else.
        """
        tensor = self._left.pop(name, None)
        if tensor is None:
            raise PackFileError(f"tensor {name!r} is missing; make the file again")
        if like is not None and not _alike(tensor, like):
            raise PackFileError(
                f"tensor {name!r} is {sketch(tensor)}, and the network has {sketch(like)}; "
                "check that the file and the backbone belong together"
            )
        return tensor

    def check_empty(self) -> None:
        """Refuses tensors that no one has asked for."""
        for name in self._left:
            raise PackFileError(f"tensor {name!r} belongs to nothing; make the file again")


def _alike(tensor: Tensor, like: Tensor) -> bool:
    # Any float will do for a float: a network may be packed in another precision than it is
    # built in.
    same_sort = tensor.dtype == like.dtype or (
        tensor.is_floating_point() and like.is_floating_point()
    )
    return tensor.shape == like.shape and same_sort
