"""Law 7, where import-linter cannot say it: a list of what is allowed, not of what is not."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import paenet

PACKING = Path(paenet.__file__).parent / "packing"


def imported(file: Path) -> Iterator[str]:
    """Every module that a file imports, those under TYPE_CHECKING and in functions too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file.name}: a relative import"
            assert node.module is not None
            # `from paenet import errors` names a module, `from paenet.errors import suggest` not.
            names = (alias.name for alias in node.names)
            yield from (f"paenet.{n}" for n in names) if node.module == "paenet" else [node.module]


@pytest.mark.parametrize(
    "file", sorted(PACKING.rglob("*.py")), ids=lambda file: str(file.relative_to(PACKING))
)
def test_packing_imports_torch_and_nothing_else(file: Path) -> None:
    rooms = ("torch", "paenet.packing", "paenet.errors")
    strangers = {
        module
        for module in imported(file)
        if module.split(".")[0] not in sys.stdlib_module_names
        and not any(module == room or module.startswith(f"{room}.") for room in rooms)
    }
    assert not strangers
