"""What a bug report needs is in one table, and in one document."""

from pathlib import Path

import pytest
import torch

from paenet import training
from tests.cli.answers import document
from tests.cli.conftest import Pae


def test_versions_devices_threads_and_the_cache_are_told(pae: Pae, cache: Path) -> None:
    found = document(pae("env", "--json"))
    assert found == {**training.versions(), "cache": str(cache)}
    assert found["torch"] == torch.__version__
    assert found["threads"] == 1  # as tests/conftest.py has it


def test_a_person_reads_the_same_as_a_table(pae: Pae) -> None:
    done = pae("env")
    assert done.code == 0
    assert done.err == ""
    for name, value in document(pae("env", "--json")).items():
        line = next(line for line in done.out.splitlines() if line.split()[:1] == [name])
        assert line.split(maxsplit=1)[1].strip() == ("none" if value is None else str(value))


def test_a_package_that_is_absent_is_said_not_to_be_there(
    pae: Pae, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training.machine.environment, "PACKAGES", ("paenet", "no-such-package"))
    assert document(pae("env", "--json"))["no-such-package"] == "not installed"
