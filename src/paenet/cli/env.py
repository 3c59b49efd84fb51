"""`pae env`: what a bug report needs."""

from __future__ import annotations

from paenet.cli.output import Json, emit, table


def env(as_json: Json = False) -> None:
    """Versions, devices and threads, as a bug report needs them."""
    from paenet.training import cache_folder, versions

    found = {**versions(), "cache": str(cache_folder())}
    rows = [(name, "none" if value is None else str(value)) for name, value in found.items()]
    emit(found, as_json, lambda: table("Environment", ("what", "found"), rows))
