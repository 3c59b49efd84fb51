"""What files cost, measured on this machine: in bytes, in seconds, in memory."""

from paenet.bench.file import bench_file
from paenet.bench.sample import DENSITIES, sample

__all__ = ["DENSITIES", "bench_file", "sample"]
