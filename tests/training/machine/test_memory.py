"""What a process that trains frees, it keeps for the next step."""

import ctypes
import subprocess
import sys

import pytest

CODE = """
import resource, torch
from paenet.training.machine import keep_freed_memory

BYTES, TIMES = 64 << 20, 8

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(TIMES):
        torch.zeros(BYTES, dtype=torch.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

plainly = faults()
keep_freed_memory()
faults()  # the first time, there is nothing to keep
print(plainly, faults())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library is not glibc")
def test_freed_memory_is_not_asked_for_again() -> None:
    command = [sys.executable, "-c", CODE]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    plainly, kept = map(int, result.stdout.split())
    assert kept < plainly / 10
