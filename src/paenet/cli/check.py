"""`pae check`: every law that a file can be held to."""

from __future__ import annotations

from dataclasses import asdict

import typer

from paenet.cli.options import Own, Pack
from paenet.cli.output import Json, emit


def check(file: Pack, backbone: Own = None, as_json: Json = False) -> None:
    """Verify digests, owners and fingerprints; exit 1 if anything is wrong."""
    from paenet import packfile

    try:
        builder = packfile.own_builder(file, backbone)
    except packfile.PackFileError:  # which is what the check will find
        builder = None
    report = packfile.check(file, backbone=builder)

    def show() -> None:
        if not report.verified:  # no pack, or a damaged one: nothing else could be looked at
            print(f"{file}: not sound: {report.findings[0].message}")
            return
        for finding in report.findings:
            print(f"BROKEN   {finding.law}: {finding.message}")
        for law in report.verified:
            print(f"holds    {law}")
        for skipped in report.skipped:
            print(f"skipped  {skipped.law}: {skipped.message}")
        verdict = "sound" if report.ok else "not sound"
        if report.ok and report.skipped:
            verdict = f"sound as far as it was checked; {len(report.skipped)} laws were not"
        print(f"{file}: {verdict}")

    emit({**asdict(report), "ok": report.ok}, as_json, show)
    if not report.ok:
        raise typer.Exit(1)
