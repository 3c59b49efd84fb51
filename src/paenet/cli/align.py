"""`pae align`: the faces of a whole folder of photographs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from paenet.cli.output import Json, emit, printable, table


def align(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A folder of photographs.")],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The folder for the crops and alignment.csv.")
    ],
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes; one for each processor that it may use without it."),
    ] = None,
    size: Annotated[int, typer.Option(min=1, help="Of the square crops, in pixels.")] = 160,
    margin: Annotated[
        float, typer.Option(min=0, help="Around the box, both sides together, in pixels.")
    ] = 14,
    margin_in: Annotated[
        Literal["crop", "photograph"],
        typer.Option(help="Whose pixels the margin counts; FaceNet's script: photograph."),
    ] = "crop",
    method: Annotated[
        Literal["crop", "similarity"],
        typer.Option(help="By the box, or by the landmarks onto ArcFace's template."),
    ] = "crop",
    faces: Annotated[
        Literal["central", "largest", "all"], typer.Option(help="Which faces of a photograph.")
    ] = "central",
    image_format: Annotated[
        Literal["png", "jpg", "webp"], typer.Option("--format", help="Of the crops.")
    ] = "png",
    min_face: Annotated[
        float, typer.Option(min=12, help="The smallest face to look for, in pixels.")
    ] = 20,
    as_json: Json = False,
) -> None:
    """Cut the faces out of every photograph below IN; started again, it does what is missing."""
    from paenet.faces import FacesError, Framing, align_folder
    from paenet.training import Live
    from paenet.workers import processors

    live = Live()
    try:
        report = align_folder(
            source,
            out,
            Framing(method, size, margin, margin_in, faces, image_format, min_face),
            workers=workers or processors(),
            progress=lambda done, total: live.count("align", done, total),
        )
    finally:
        live.close()
    document: dict[str, Any] = {
        **asdict(report),
        "without": [{"path": path, "reason": reason} for path, reason in report.without],
        "broken": [{"path": path, "reason": reason} for path, reason in report.broken],
        "table": str(report.table),
    }

    def show() -> None:
        rows = [
            ("photographs", report.images),
            ("with a face", report.aligned),
            ("crops", report.crops),
            ("without a face", len(report.without)),
            ("broken", len(report.broken)),
            ("done before", report.done_before),
            ("crops of photographs that are gone", len(report.gone)),
        ]
        table(str(out), ("what", "count"), [(what, str(count)) for what, count in rows])
        for path, reason in report.broken:
            print(f"broken: {path}: {reason}")
        if report.gone:
            first = printable(str(out / report.gone[0]))
            print(f"Remove what is no longer wanted, the first: {first}")
        print(f"{report.seconds:.1f} seconds; every photograph is in {report.table}")

    emit(document, as_json, show)
    if len(report.broken) == report.images:
        raise FacesError(
            f"{source}: none of its photographs could be read ({report.images}); the reasons are "
            f"in {report.table}"
        )
