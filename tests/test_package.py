"""`import paenet`: quick, and a door to every room."""

import pkgutil
import subprocess
import sys

import pytest

import paenet

ROOMS = sorted(module.name for module in pkgutil.iter_modules(paenet.__path__) if module.ispkg)


@pytest.mark.parametrize("module", ["paenet", "paenet.cli"])
def test_importing_does_not_pull_in_torch(module: str) -> None:
    heavy = "{'torch', 'numpy', 'accelerate', 'PIL'}"
    code = f"import sys, {module}; sys.exit(', '.join({heavy} & sys.modules.keys()) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_is_reached_from_the_package(room: str) -> None:
    assert paenet.__getattr__(room).__name__ == f"paenet.{room}"
    assert room in dir(paenet)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'pakcing'"):
        paenet.pakcing  # noqa: B018


def test_the_version_is_a_string() -> None:
    assert isinstance(paenet.__version__, str)
    assert paenet.__version__[0].isdigit()


def test_the_engine_is_at_hand_without_its_room() -> None:
    assert paenet.Engine is paenet.engine.Engine
    assert "Engine" in dir(paenet)
