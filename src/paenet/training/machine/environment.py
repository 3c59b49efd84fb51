"""Where a run keeps what it can make again, and what it ran on."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import parse_flag_from_env
from platformdirs import user_cache_path

PACKAGES = ("paenet", "torch", "numpy", "accelerate", "safetensors", "pillow")


def cache_folder() -> Path:
    """The user's cache; `PAENET_CACHE` puts it elsewhere."""
    given = os.environ.get("PAENET_CACHE")
    return Path(given) if given else user_cache_path("paenet")


def launched() -> PartialState:
    """The processes that share a run; this one alone, where no launcher has started others.

    Accelerate lets processes talk on CPUs only where it is told that these are what they use.
    """
    on_cpus = "LOCAL_RANK" in os.environ and not torch.accelerator.is_available()
    return PartialState(cpu=on_cpus or parse_flag_from_env("ACCELERATE_USE_CPU"))


def versions() -> dict[str, Any]:
    """Versions, processor, threads and devices: what a figure depends on beside its recipe."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return {
        **found,
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
