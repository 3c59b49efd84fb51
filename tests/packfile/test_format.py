"""docs/format.md is enough: a reader that knows nothing else finds every task's fingerprint."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paenet.packfile import describe
from tests.packfile.files import grown, saved
from tests.packing.networks import NETWORKS, Builder, packed, teach

NUMBERS = {"F32": ("<f4", "torch.float32"), "I64": ("<i8", "torch.int64"), "U8": ("u1", "")}


class Stranger:
    """A reader written from docs/format.md; its section numbers."""

    def __init__(self, data: bytes) -> None:
        end = 8 + int.from_bytes(data[:8], "little")  # §1
        header = json.loads(data[8:end])
        self.document = json.loads(header.pop("__metadata__")["paenet"])
        self.arrays = {}
        for name, entry in header.items():
            start, stop = entry["data_offsets"]
            kind = NUMBERS[entry["dtype"]][0]
            values = np.frombuffer(data[end + start : end + stop], kind)
            self.arrays[name] = values.reshape(entry["shape"])
        digest = self.document["sha256"].encode()
        assert data.count(digest, 0, end) == 1
        assert hashlib.sha256(data.replace(digest, b"0" * 64)).hexdigest().encode() == digest

    def network(self, task: dict[str, Any]) -> dict[str, np.ndarray]:
        """Every tensor of a task's network, §4."""
        slots = {t["name"]: t["slot"] for t in self.document["tasks"]}
        mine = [task["slot"], *(slots[name] for name in task["sees"])]
        found = {}
        for slot in (slots[self.document["base"]], task["slot"]):
            found |= self._under(f"private.{slot}.")
        for layer, theta in self._under("theta.").items():
            weight = np.where(np.isin(self.arrays[f"owner.{layer}"], mine), theta, np.float32(0))
            if task["width"] < len(self.document["widths"]) - 1:
                outputs = self.arrays[f"outputs.{task['width']}.{layer}"]
                inputs = self.arrays[f"inputs.{task['width']}.{layer}"]
                weight = weight[
                    outputs[:, None], np.broadcast_to(inputs, (len(outputs), inputs.shape[-1]))
                ]
            found[f"{layer}.weight" if layer else "weight"] = weight
        network = {f"backbone.{key}": value for key, value in found.items()}
        head = self._under(f"head.{task['slot']}.")
        return network | {f"head.{key}": value for key, value in head.items()}

    def fingerprint(self, task: dict[str, Any]) -> str:
        """§6."""
        types = {np.dtype(kind): name for kind, name in NUMBERS.values()}
        digest = hashlib.sha256(b"paenet-fingerprint-1")
        for name, array in sorted(self.network(task).items()):
            digest.update(f"\n{name} {types[array.dtype]} {list(array.shape)}\n".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def _under(self, prefix: str) -> dict[str, np.ndarray]:
        return {
            name.removeprefix(prefix): array
            for name, array in self.arrays.items()
            if name.startswith(prefix)
        }


@pytest.mark.parametrize("builder", NETWORKS.values(), ids=NETWORKS)
def test_a_stranger_finds_every_fingerprint(builder: Builder, tmp_path: Path) -> None:
    pack, promise = grown(builder)
    stranger = Stranger(saved(pack, tmp_path).read_bytes())
    found = {task["name"]: stranger.fingerprint(task) for task in stranger.document["tasks"]}
    assert found == {name: fingerprint for name, (fingerprint, _) in promise.made.items()}


def test_a_stranger_finds_the_norms_of_a_task_that_uses_the_bases(tmp_path: Path) -> None:
    pack = packed(NETWORKS["batch-norm"])
    teach(pack, "base")
    teach(pack, "borrower", norms="base")
    stranger = Stranger(saved(pack, tmp_path).read_bytes())
    assert stranger.fingerprint(stranger.document["tasks"][1]) == pack.fingerprint("borrower")


def test_the_document_has_the_keys_that_are_specified(tmp_path: Path) -> None:
    document = describe(saved(grown()[0], tmp_path))
    page = (Path(__file__).parents[2] / "docs" / "format.md").read_text(encoding="utf-8")
    for key in (*document, *document["backbone"], *document["tasks"][0]):
        assert f"`{key}`" in page
    assert f"format {document['format']}" in page
