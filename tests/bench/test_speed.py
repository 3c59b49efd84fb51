"""Every figure of `pae bench speed` is measured, on a network that takes no time."""

import pytest
from torch import nn

from paenet import bench
from paenet.packfile import BackboneSpec, PackFile, PackFileError
from paenet.packing import Pack

STEMS = {"identity": None, "gender": "stage3", "expression": "stage2"}


@pytest.mark.slow
def test_all_that_is_promised_is_measured() -> None:
    held = bench.sample_with_stems("small", None, STEMS)
    found = bench.bench_speed(held, repeats=2, batches=(1, 3), training=8)
    assert found["stems"] == STEMS
    assert set(found["engine_over_dense"]) == set(found["engine_over_separate"]) == {"1", "3"}
    assert found["engine_over_separate"]["3"] < found["engine_over_dense"]["3"]
    assert set(found["cached_epoch_speedup"]) == {"stage2", "stage3"}
    assert 1 < found["work_over_dense"] < 2
    assert found["step_over_plain"] > 0
    assert found["memory_over_dense"] is None or found["memory_over_dense"] > 0
    assert 0 < found["first_answer_seconds"]["ours"] < found["first_answer_seconds"]["total"]


def test_the_sample_has_the_stems_that_it_is_asked_for() -> None:
    pack = bench.sample_with_stems("small", None, STEMS).pack
    assert {n: t.stem and t.stem.name for n, t in pack.tasks.items()} == STEMS
    assert all(layer.theta[layer.owner == 0].abs().sum() == 0 for layer in pack.layers.values())


def test_a_pack_that_knows_no_input_is_refused() -> None:
    pack = Pack(nn.Linear(2, 2))
    pack.learn("one", head=nn.Identity()).freeze()
    with pytest.raises(PackFileError, match="knows no input"):
        bench.bench_speed(PackFile(pack, BackboneSpec("mine:build"), {}))
