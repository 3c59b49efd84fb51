"""Selecting bits does what `torch.where` does, to the bit, forwards and backwards."""

from __future__ import annotations

import copy
import io
import math
import threading

import pytest
import torch
from torch import Tensor

from paenet.packing.selecting import Mask, select

DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def drawn(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    chosen, other = (torch.randn(7, 5, generator=draw).to(dtype) for _ in range(2))
    for tensor in (chosen, other):
        tensor[:, 0] = torch.tensor([math.nan, math.inf, -math.inf, -0.0, 0.0, 1e30, -1e30])
    return torch.rand(7, 5, generator=draw) < 0.5, chosen, other


def bits(tensor: Tensor) -> bytes:
    return tensor.detach().contiguous().view(torch.uint8).numpy().tobytes()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_what_is_not_chosen_never_shows(dtype: torch.dtype) -> None:
    where, chosen, other = drawn(dtype)
    selected = select(Mask().of(where, chosen), chosen, other)
    assert bits(selected) == bits(torch.where(where, chosen, other))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gradients_go_the_ways_that_values_came(dtype: torch.dtype) -> None:
    where, chosen, other = drawn(dtype)
    gradient = torch.randn(7, 5).to(dtype)
    found = []
    for function in (torch.where, lambda at, a, b: select(Mask().of(at, a), a, b)):
        leaves = [tensor.clone().requires_grad_() for tensor in (chosen, other)]
        function(where, *leaves).backward(gradient)
        found.append([bits(leaf.grad) for leaf in leaves if leaf.grad is not None])
    assert found[0] == found[1]
    assert len(found[0]) == 2


def test_gradients_have_gradients() -> None:
    where, chosen, other = (tensor[:, 1:] for tensor in drawn(torch.float64))
    mask = Mask().of(where, chosen)
    leaves = [tensor.clone().requires_grad_() for tensor in (chosen, other)]
    assert torch.autograd.gradgradcheck(lambda a, b: select(mask, a.sin(), b.cos()), leaves)


def test_functional_gradients_and_batches_of_them() -> None:
    where, chosen, other = (tensor[:, 1:] for tensor in drawn())
    mask = Mask().of(where, chosen)
    several = torch.stack([chosen, chosen + 1, chosen * 2])
    gradient = torch.func.vmap(torch.func.grad(lambda a: select(mask, a, other).square().sum()))
    expected = torch.where(where, 2 * several, 0.0)
    torch.testing.assert_close(gradient(several), expected)


def test_compiles_as_one_graph() -> None:
    where, chosen, other = drawn()
    mask = Mask()
    function = torch.compile(
        lambda a: select(mask.of(where, a), a, other), backend="eager", fullgraph=True
    )
    for _ in range(2):  # before and after the mask was made without a graph
        assert bits(function(chosen)) == bits(torch.where(where, chosen, other))
        mask.of(where, chosen)
        torch.compiler.reset()


def test_a_mask_that_expires_is_made_anew_where_it_lies() -> None:
    where, chosen, _ = drawn()
    mask = Mask()
    bits = mask.of(where, chosen)
    first = bits.clone()
    where.data.logical_not_()  # which no version tells
    assert torch.equal(mask.of(where, chosen), first)
    mask.expire()
    assert mask.of(where, chosen) is bits
    assert torch.equal(bits, ~first)


def test_a_mask_follows_what_it_was_made_of() -> None:
    where, chosen, _ = drawn()
    mask = Mask()
    bits = mask.of(where, chosen)
    first = bits.clone()
    where.logical_not_()
    assert mask.of(where, chosen) is bits
    assert torch.equal(bits, ~first)
    assert torch.equal(mask.of(~where, chosen), first)
    assert mask.of(where, chosen.double()).dtype == torch.int64


def test_a_mask_of_inference_mode_serves_training() -> None:
    where, chosen, other = drawn()
    mask = Mask()
    with torch.inference_mode():
        select(mask.of(where, chosen), chosen, other)
    leaf = chosen.clone().requires_grad_()
    select(mask.of(where, leaf), leaf, other)[:, 1:].sum().backward()
    assert leaf.grad is not None
    assert torch.equal(leaf.grad[:, 1:].bool(), where[:, 1:])


def test_threads_may_ask_for_a_mask_at_the_same_time() -> None:
    where = torch.arange(512 * 512).view(512, 512) % 3 == 0
    like, mask, wrong = torch.zeros(512, 512), Mask(), []
    expected = mask.of(where, like).clone()

    def ask(start: threading.Barrier) -> None:
        start.wait()
        if not torch.equal(mask.of(where, like), expected):
            wrong.append(start)

    for _ in range(60):
        where.copy_(where.clone())  # the mask is made anew
        start = threading.Barrier(4)
        threads = [threading.Thread(target=ask, args=(start,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert torch.equal(mask.of(where, like), expected)
    assert not wrong


def test_copies_and_files_hold_no_mask() -> None:
    where, chosen, _ = drawn()
    mask = Mask()
    empty = io.BytesIO()
    torch.save(mask, empty)
    mask.of(where, chosen)
    file = io.BytesIO()
    torch.save(mask, file)
    assert file.getvalue() == empty.getvalue()
    assert torch.equal(copy.deepcopy(mask).of(where, chosen), mask.of(where, chosen))
