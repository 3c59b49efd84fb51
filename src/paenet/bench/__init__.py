"""What packs cost, measured on this machine: in bytes, in seconds, in memory."""

from paenet.bench.file import bench_file
from paenet.bench.sample import DENSITIES, SHARED, sample, sample_with_stems
from paenet.bench.speed import bench_speed
from paenet.bench.telling import speed_figures

__all__ = [
    "DENSITIES",
    "SHARED",
    "bench_file",
    "bench_speed",
    "sample",
    "sample_with_stems",
    "speed_figures",
]
