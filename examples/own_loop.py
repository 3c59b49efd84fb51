"""Packs three tasks into one network in plain PyTorch: no trainer, no files, no faces.

Run it with `python examples/own_loop.py`; it takes a few seconds on one core. The images are
generated: patterns that stand for eight people, four of either gender, by day or by night, under
noise. A network is trained to tell the people apart; identity, gender and light go into it.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import Identity, Linear
from torch.nn.functional import cosine_similarity, cross_entropy

from paenet import packing

PEOPLE, FEATURES = 8, 32
Labels = dict[str, Tensor]


def build(width: float = 1.0) -> nn.Module:
    """The backbone, as wide as asked for; its features keep their number."""
    a, b = round(16 * width), round(32 * width)
    return nn.Sequential(
        *(nn.Conv2d(3, a, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(a), nn.PReLU(a)),
        *(nn.Conv2d(a, b, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(b), nn.PReLU(b)),
        *(nn.Flatten(), nn.Linear(b * 16, FEATURES)),
    )


def examples(count: int, seed: int) -> tuple[Tensor, Labels]:
    """Images `(count, 3, 16, 16)` and their labels by task."""
    patterns = torch.randn(PEOPLE, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(seed)
    people = torch.randint(PEOPLE, (count,), generator=generator)
    light = torch.randint(2, (count,), generator=generator)
    noise = torch.randn(count, 3, 16, 16, generator=generator)
    images = patterns[people] + noise + 0.3 * light[:, None, None, None]
    return images, {"identity": people, "gender": people % 2, "light": light}


def batches(
    task: str, seed: int, steps: int = 40, size: int = 64
) -> Iterator[tuple[Tensor, Tensor]]:
    """Fresh examples of one task."""
    for step in range(steps):
        images, labels = examples(size, seed=1000 * seed + step)
        yield images, labels[task]


def fit(network: nn.Module, task: str, seed: int, rate: float = 0.01) -> None:
    """Anybody's training loop: it need not know what it trains."""
    network.train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.05)
    for images, labels in batches(task, seed):
        loss = cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


@torch.no_grad()
def accuracy(network: nn.Module, task: str) -> float:
    """Share of unseen examples that are classified rightly."""
    images, labels = examples(512, seed=999_999)
    return float((network.eval()(images).argmax(1) == labels[task]).float().mean())


def main() -> None:
    """Trains, packs, removes, and shows that nobody noticed."""
    torch.manual_seed(0)

    # A trained network, as one is usually given. Its features are what identity is about.
    trained = nn.Sequential(build(), Linear(FEATURES, PEOPLE))
    fit(trained, "identity", seed=1)
    backbone = trained[0].eval()
    probe, _ = examples(256, seed=7)

    # Task 1 keeps the network's features in less than half of its weights.
    pack = packing.Pack(backbone)
    learner = pack.learn("identity", head=Identity(), sees="base")

    def agreement() -> float:
        with torch.no_grad():
            return float(cosine_similarity(learner.eval()(probe), backbone(probe)).mean())

    def imitate() -> None:
        optimizer = torch.optim.Adam(learner.parameters(), lr=0.002)
        learner.train()
        for images, _ in batches("identity", seed=2, steps=20):
            with torch.no_grad():
                wanted = backbone(images)
            (1 - cosine_similarity(learner(images), wanted)).mean().backward()
            optimizer.step()
            optimizer.zero_grad()

    schedule = packing.Schedule(end=0.7, stages=4)
    trials = packing.prune_gradually(learner, schedule, imitate, lambda: agreement() >= 0.97)
    for trial in trials:
        print(f"identity: {trial.share:4.0%} released: {'holds' if trial.held else 'misses'}")
    print(f"identity: its features agree with the given network's by {agreement():.3f}")
    learner.freeze()
    first = pack.fingerprint("identity")

    # The others use its weights as they are and train the free ones.
    for seed, task in enumerate(("gender", "light"), start=3):
        learner = pack.learn(task, head=Linear(FEATURES, 2), sees="base")
        fit(learner, task, seed)
        learner.prune(to=0.8)  # keep the largest fifth of its own weights, release the rest
        fit(learner, task, seed + 10, rate=0.002)
        learner.freeze()
        print(f"{task}: accuracy {accuracy(pack.materialize(task), task):.1%}")

    print(f"\n{'task':10}{'owns':>8}{'of':>8}   fingerprint")
    for task in pack.tasks:
        fingerprint = pack.fingerprint(task)[:16]
        print(f"{task:10}{pack.weights(task):8,}{pack.weights():8,}   {fingerprint}")

    light = pack.fingerprint("light")
    pack.remove("gender")  # no one sees it: its weights are free again
    same = pack.fingerprint("identity") == first and pack.fingerprint("light") == light
    print(
        f"\nwithout gender, identity and light are {'the same' if same else 'CHANGED'}, bit for bit"
    )


if __name__ == "__main__":
    main()
