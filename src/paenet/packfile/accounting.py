"""What a pack weighs, task by task: in weights, in bytes, and as the paper counts."""

from collections.abc import Iterable
from typing import TypedDict

import torch
from torch import Tensor, nn

from paenet.packfile.reading import PackFile
from paenet.packing import Pack, PackedTask
from paenet.packing.parts import FREE, MOST_TASKS

MIB = 2**20
OWNED_BYTES = 5  # of a weight: 4 of value, 1 of mask, where there are others
VALUE_BYTES = 4  # of every other parameter
PICK_BYTES = 1 / 8  # of a weight that may be picked: a bit


class TaskAccount(TypedDict):
    """What one task has.

    Attributes:
        owned: packed weights that are its own.
        seen: packed weights of older tasks that it uses: those it has picked, where it picks.
        picks: packed weights of older tasks that it has picked from; 0 where it does not pick.
        total: packed weights of a dense network of its width.
        private: parameters beside the weights that are its own: biases, affine parameters of
            norms, slopes. 0 where it uses the base's.
        statistics: values of its norms that are not trained: running mean and variance, counts.
        head: parameters of its head.
        paper_mib: 5 bytes for each owned weight (4 where the task owns every weight, which takes no
            mask), 4 for each private and head parameter, an eighth for each weight that it has
            picked from.
        separate_mib: 4 bytes for each parameter of a dense network for this task alone, at width
            1 as the given one, with its head.
    """

    owned: int
    seen: int
    picks: int
    total: int
    private: int
    statistics: int
    head: int
    paper_mib: float
    separate_mib: float


class Account(TypedDict):
    """What a pack has.

    Attributes:
        tasks: by name.
        owned, free, total: packed weights at the widest width.
        dense: packed weights of the given network, at width 1.
        paper_mib, separate_mib: sums over the tasks, in MiB (2**20 bytes).
        of_separate: the first by the second; 0 where there is no task.
    """

    tasks: dict[str, TaskAccount]
    owned: int
    free: int
    total: int
    dense: int
    paper_mib: float
    separate_mib: float
    of_separate: float


def accounting(pack: Pack | PackFile) -> Account:
    """Counts a pack, as JSON types.

    The paper's accounting is that of Hung et al. (ICMR 2019): 5 bytes for every weight a task
    owns, of which one is a mask's, and 4 for every other *parameter* of its own. Running
    statistics of norms are no parameters and are not counted, as they are not in the published
    sizes: a dense 512-d Inception-ResNet-v1 has 23.48 M parameters, 89.6 MiB. That paper has no
    picks: a bit, an eighth of a byte, for every weight that may be picked, is counted beside.
    """
    if isinstance(pack, PackFile):
        pack = pack.pack
    owned = _owned(pack)
    dense = [_Dense(width.skeleton, pack) for width in pack.widths]
    tasks = {name: _task(pack, task, owned, dense) for name, task in pack.tasks.items()}
    total = sum(owned)
    paper, separate = (
        sum(task[key] for task in tasks.values()) for key in ("paper_mib", "separate_mib")
    )
    return Account(
        tasks=tasks,
        owned=total - owned[FREE],
        free=owned[FREE],
        total=total,
        dense=dense[pack.given_width].packed,
        paper_mib=paper,
        separate_mib=separate,
        of_separate=paper / separate if separate else 0.0,
    )


class _Dense:
    """Parameters of the network at one width, packed and other."""

    def __init__(self, skeleton: nn.Module, pack: Pack) -> None:
        self.parameters = {name: p.numel() for name, p in skeleton.named_parameters()}
        self.private = sum(self.parameters.get(key, 0) for key in pack.layout.private)
        self.packed = sum(self.parameters.values()) - self.private


def _task(pack: Pack, task: PackedTask, owned: list[int], dense: list[_Dense]) -> TaskAccount:
    at = dense[task.width]
    alone = dense[pack.given_width]
    trained = {key: value for key, value in task.private.items() if key in at.parameters}
    private = _values(trained.values())
    head = _values(task.head.parameters())
    weights = owned[task.slot]
    bytes_each = VALUE_BYTES if weights == sum(owned) else OWNED_BYTES
    seen, picks = _seen(pack, task)
    return TaskAccount(
        owned=weights,
        seen=seen,
        picks=picks,
        total=at.packed,
        private=private,
        statistics=_values(task.private.values()) - private,
        head=head,
        paper_mib=(bytes_each * weights + VALUE_BYTES * (private + head) + PICK_BYTES * picks)
        / MIB,
        separate_mib=VALUE_BYTES * (alone.packed + alone.private + head) / MIB,
    )


def _seen(pack: Pack, task: PackedTask) -> tuple[int, int]:
    """Weights of others in the task's network, and how many it has picked from."""
    seen = picks = 0
    for name, layer in pack.layers.items():
        owner = pack.widths[task.width].narrow(name, layer.owner)
        counts = torch.bincount(owner.flatten(), minlength=MOST_TASKS + 1)
        count = int(counts[pack.seen_slots(name, task.sees, task.stem)].sum())
        picked = (task.picked or {}).get(name)
        seen += count if picked is None else int(picked.sum())
        picks += 0 if picked is None else count
    return seen, picks


def _owned(pack: Pack) -> list[int]:
    """Weights by owner: free ones first, then those of each slot."""
    counts = torch.zeros(MOST_TASKS + 1, dtype=torch.int64)
    for layer in pack.layers.values():
        counts += torch.bincount(layer.owner.flatten(), minlength=MOST_TASKS + 1)
    return counts.tolist()


def _values(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors)
