"""Losses on embeddings: imitate a teacher, or tell labelled people apart by angle."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from paenet.tasks.errors import TaskError


class Distillation(nn.Module):
    """How far embeddings are from a teacher's: the angle, and a little of the length.

    The loss is the mean of `1 - cos`, plus `scale_weight` times the mean squared logarithm of the
    lengths' ratio. Faces are compared by angle; the length is held only so that later layers and
    callers meet the scale that they know.
    """

    def __init__(self, scale_weight: float) -> None:
        super().__init__()
        self.scale_weight = scale_weight

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """(N, D) embeddings against the teacher's (N, D).

        Raises:
            TaskError: where the two sizes differ.
        """
        if outputs.shape != targets.shape:
            raise TaskError(
                f"embeddings of shape {tuple(outputs.shape)} cannot imitate a teacher's "
                f"{tuple(targets.shape)}; set 'embedding' to the teacher's size"
            )
        outputs, targets = outputs.float(), targets.float()
        angle = 1 - functional.cosine_similarity(outputs, targets, dim=1)
        lengths = [x.norm(dim=1).clamp_min(1e-6).log() for x in (outputs, targets)]
        return angle.mean() + self.scale_weight * ((lengths[0] - lengths[1]) ** 2).mean()


def fitting_scale(people: int) -> float:
    """The scale that suits a number of people: AdaCos, fixed (Zhang et al., 2019).

    With a larger one, few people are told apart by angles too small to carry over to others;
    ArcFace's own 64 is for 85,000.
    """
    return max(2.0, math.sqrt(2) * math.log(max(people - 1, 1)))


class AngularSoftmax(nn.Module):
    """Softmax over the cosines to one centre per person, with an additive angular margin.

    ArcFace (Deng et al., 2019, eq. 3); without margin it is NormFace (Wang et al., 2017), a plain
    softmax over unit embeddings, which is what comparing faces by cosine wants. The centres are
    trained with the network and then thrown away; they start from a generator of their own, so
    that the same task starts the same whatever ran before.

    Args:
        features: size of an embedding.
        people: number of identities in the training split, >= 2.
        scale: what the cosines are multiplied with.
        margin: radians added to the angle to the right centre; 0 for none.
    """

    def __init__(self, features: int, people: int, scale: float, margin: float) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.centres = nn.Parameter(torch.randn(people, features, generator=generator))
        self.scale, self.margin = scale, margin

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """(N, D) embeddings against (N,) people, int64."""
        # Autocast would round the product to bfloat16: cosines good to two digits, times `scale`.
        with torch.autocast(outputs.device.type, enabled=False):
            cosines = functional.linear(
                functional.normalize(outputs.float()), functional.normalize(self.centres.float())
            )
            right = functional.one_hot(targets, len(self.centres)).bool()
            cosines = torch.where(right, self._with_margin(cosines), cosines)
            return functional.cross_entropy(self.scale * cosines, targets)

    def _with_margin(self, cosines: Tensor) -> Tensor:
        """cos(angle + margin), continued in a straight line where that would turn up again."""
        # Never quite 0: the root's slope there is infinite.
        sines = (1 - cosines**2).clamp_min(1e-9).sqrt()
        turned = cosines * math.cos(self.margin) - sines * math.sin(self.margin)
        straight = cosines - self.margin * math.sin(self.margin)
        return torch.where(cosines > -math.cos(self.margin), turned, straight)
