"""All randomness of a run, from one seed."""

import hashlib

import torch


def derive(seed: int, *parts: object) -> int:
    """A seed for one purpose: a function of the run's seed and what it is for."""
    text = "/".join([str(seed), *map(str, parts)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "little")


def seed_globally(seed: int, device: torch.device) -> None:
    """Seeds torch's own generators, from which dropout and the like draw on a device.

    `torch.manual_seed` takes a third of a millisecond: it puts off the seeds of devices that are
    not in use, each with a stack trace.
    """
    if device.type == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)


def generator(seed: int, *parts: object) -> torch.Generator:
    """A generator on the CPU for one purpose."""
    return torch.Generator().manual_seed(derive(seed, *parts))
