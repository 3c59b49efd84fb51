"""What packs cost, measured on this machine: in bytes, in seconds, in memory."""

from paenet.bench.file import bench_file
from paenet.bench.sample import DENSITIES, STEMS, sample, sample_with_stems
from paenet.bench.speed import bench_speed

__all__ = ["DENSITIES", "STEMS", "bench_file", "bench_speed", "sample", "sample_with_stems"]
