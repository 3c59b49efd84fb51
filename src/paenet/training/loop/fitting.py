"""The loop: one stage of training, which goes on where it was stopped."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from paenet.packing import constants_in, scores_of
from paenet.training.errors import RunError
from paenet.training.loop.batches import Batches
from paenet.training.loop.capture import Loss, captured
from paenet.training.loop.state import load_state, read_about, save_state
from paenet.training.machine import derive, enough_memory, seed_globally
from paenet.training.records import Reporter

WARM_UP = 0.1  # share of the steps
CLIP = 1.0  # norm of the gradient
# Scores start a little above their threshold, all alike: at the pace of weights, which AdamW takes
# from the first step on, a few steps would flip any of them. The authors of Piggyback and CPG train
# them at 1e-4 to 5e-4.
SCORES_PACE = 0.1
STATISTICS = 32  # batches from which statistics of norms are estimated


@dataclass(frozen=True, slots=True)
class Stage:
    """One training: what it is called, how long it lasts, how large its steps are.

    Attributes:
        key: unique in the run, such as `gender/prune-2`.
        epochs: over the batches that it is given.
        rate: the highest learning rate.
        decay: AdamW's weight decay.
        status: where the task is, for a person to read.
    """

    key: str
    epochs: float
    rate: float
    decay: float
    status: str = ""


class Trainee(nn.Module):
    """A learner and its criterion as one module, so that several processes share both.

    Args:
        teacher: where there is one, its outputs are the targets.
        fixed_statistics: whether batch norms keep their running statistics and normalise by
            them. A network that shall stay what it is (distilled, short of steps) needs it.
    """

    def __init__(
        self,
        learner: nn.Module,
        criterion: nn.Module,
        teacher: nn.Module | None = None,
        *,
        fixed_statistics: bool = False,
    ) -> None:
        super().__init__()
        self.learner = learner
        self.criterion = criterion
        self._teacher = [teacher]  # in a list: no part of what is trained and saved
        self._fixed_statistics = fixed_statistics

    @property
    def _ddp_params_and_buffers_to_ignore(self) -> list[str]:
        """As of the learner, which is wrapped with it."""
        return constants_in(self)

    def train(self, mode: bool = True) -> Trainee:
        """Training mode, but for batch norms whose statistics are fixed."""
        super().train(mode)
        if self._fixed_statistics:
            for module in self.learner.modules():
                if isinstance(module, nn.modules.batchnorm._NormBase):
                    module.eval()
        return self

    def forward(self, inputs: Tensor, targets: Tensor | None) -> Tensor:
        return self.loss(self.learner(inputs), inputs, targets)

    def loss(self, outputs: Tensor, inputs: Tensor, targets: Tensor | None) -> Tensor:
        """Of what the learner returns for some inputs."""
        teacher = self._teacher[0]
        if teacher is not None:
            with torch.no_grad():
                targets = teacher(inputs)
        loss: Tensor = self.criterion(outputs, targets)
        return loss


class Steps(Protocol):
    """Where the inputs of each step come from; `Batches` of one task are.

    Attributes:
        seed: of what is drawn while a step is computed.
        process: which share of every batch this process takes.
    """

    @property
    def seed(self) -> int: ...

    @property
    def process(self) -> int: ...

    def steps(self, epochs: float) -> int:
        """How many there are in so many epochs."""

    def __call__(self, step: int, device: torch.device) -> tuple[Any, ...]:
        """What the trainee is called with in a step."""


def fit(
    stage: Stage,
    trainee: nn.Module,
    batches: Steps,
    *,
    accelerator: Accelerator,
    checkpoint: Path,
    checkpoint_seconds: float,
    origin: Mapping[str, str],
    reporter: Reporter,
) -> float:
    """Trains `trainee` through `stage`; returns the seconds it took, earlier attempts included.

    Started again after a kill, it continues from `checkpoint` and ends with the same bits.

    Args:
        trainee: returns the loss of what `batches` gives.
        origin: hashes of what is trained and from where; a checkpoint of another is not continued.

    Raises:
        RunError: where there is nothing to train, the loss is no longer finite, a GPU has not
            enough memory, or the checkpoint cannot be read or written.
    """
    steps = batches.steps(stage.epochs)
    if steps and not any(parameter.requires_grad for parameter in trainee.parameters()):
        raise RunError(
            f"{stage.key}: there is nothing to train; let it train weights, or norms of its own"
        )
    optimizer = torch.optim.AdamW(_groups(trainee, stage.decay), lr=stage.rate, fused=True)
    facts = {"key": stage.key, **origin}
    done, spent = _resume(checkpoint, facts, trainee, optimizer)
    model, prepared = accelerator.prepare(trainee, optimizer)
    model.train()
    reporter.begin(stage.key, steps, done, stage.status)
    started = saved = time.monotonic()
    compute: Loss = model
    with enough_memory(stage.key):
        if done < steps:
            first = partial(batches, done, accelerator.device)
            compute = captured(model, first, accelerator)
        for step in range(done, steps):
            # Dropout and the like: what they draw depends on the step, not on what ran before it.
            seed = derive(batches.seed, stage.key, step, batches.process)
            seed_globally(seed, accelerator.device)
            loss = compute(*batches(step, accelerator.device))
            if not torch.isfinite(loss):
                raise RunError(
                    f"{stage.key}: the loss is {loss.item()} at step {step}; lower the learning "
                    f"rate ({stage.rate})"
                )
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(model.parameters(), CLIP)
            for group in optimizer.param_groups:
                group["lr"] = stage.rate * group["pace"] * cycle((step + 1) / (steps + 1))
            prepared.step()
            prepared.zero_grad()
            reporter.advance(loss.item())
            now = time.monotonic()
            # Not after the last step: processes that share a stage have yet to agree on its
            # statistics.
            due = now - saved >= checkpoint_seconds and step + 1 < steps
            if accelerator.is_main_process and due:
                progress = {"steps": step + 1, "seconds": spent + now - started}
                save_state(checkpoint, trainee, optimizer, facts | progress)
                saved = now
    _agree_on_statistics(trainee, accelerator)
    del compute  # with what a GPU keeps for it
    accelerator.free_memory()
    return spent + time.monotonic() - started


@torch.no_grad()
def estimate_statistics(trainee: Trainee, batches: Batches, *, accelerator: Accelerator) -> None:
    """Gives batch norms the statistics of some fresh batches, each batch counting alike.

    What they counted before belongs to weights that have been rounded since.
    """
    norms = _counting(trainee.learner)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch's word for an average over all batches
    for step in range(min(STATISTICS, batches.epoch_steps)):
        seed = derive(batches.seed, batches.key, step, batches.process)
        seed_globally(seed, accelerator.device)
        with enough_memory(batches.key):
            inputs, _ = batches(step, accelerator.device)
            trainee.learner(inputs)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    _agree_on_statistics(trainee, accelerator)


def _resume(
    checkpoint: Path, facts: Mapping[str, str], trainee: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[int, float]:
    """Goes on from a checkpoint, where it is of the same training.

    Returns:
        The steps that are done, and the seconds that they took.
    """
    about = read_about(checkpoint)
    if about is None or any(about.get(key, value) != value for key, value in facts.items()):
        return 0, 0.0
    load_state(checkpoint, trainee, optimizer)
    return about["steps"], about["seconds"]


def cycle(progress: float) -> float:
    """One cycle of the learning rate, as a share of its highest: linear up, cosine down.

    Args:
        progress: share of the stage that is done, in (0, 1).
    """
    if progress < WARM_UP:
        return progress / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP)))


def _groups(module: nn.Module, decay: float) -> list[dict[str, object]]:
    """Weights decay; biases, norms, slopes, and the scores by which others' are picked do not.

    `pace` is what a group's learning rate is to that of the stage.
    """
    scores = scores_of(module)
    chosen = set(scores)
    parameters = [p for p in module.parameters() if p.requires_grad and p not in chosen]
    groups: list[dict[str, object]] = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": decay, "pace": 1.0},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0, "pace": 1.0},
    ]
    if scores:
        groups.append({"params": scores, "weight_decay": 0.0, "pace": SCORES_PACE})
    return groups


def _agree_on_statistics(module: nn.Module, accelerator: Accelerator) -> None:
    """Each process has seen other images: what their norms counted is averaged."""
    if accelerator.num_processes == 1:
        return
    for norm in _counting(module):
        for counted in (norm.running_mean, norm.running_var):
            if counted is not None:
                counted.copy_(accelerator.reduce(counted.clone(), reduction="mean"))


def _counting(module: nn.Module) -> list[nn.modules.batchnorm._NormBase]:
    """Norms that count statistics; those whose statistics are fixed do not, to the last bit."""
    return [
        part
        for part in module.modules()
        if isinstance(part, nn.modules.batchnorm._NormBase) and part.training
    ]
