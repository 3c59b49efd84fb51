"""The section of the page of results on finding and cutting out faces."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks.markdown import origin, table


def alignment(document: dict[str, Any]) -> Iterable[str]:
    """The section, line by line."""
    yield origin(document)
    yield ""
    near = f"{document['near_pixels']:g} pixels"
    yield (
        f"Faces found in {document['found']} of {document['photographs']} photographs of LFW (one "
        "each, the central one), beside two others: the boxes and landmarks that come with the "
        "photographs, which facenet-pytorch found, most likely before they were compressed to "
        "what is here; and those that the same detector finds once they are compressed once more "
        f"(WebP at quality {document['compressed_quality']}): what compression alone moves. "
        "Distances are of the worst edge or "
        "coordinate of a face; overlap is intersection over union."
    )
    yield ""
    rows = [
        (
            what,
            f"{found['boxes_near']:.1%}",
            f"{found['landmarks_near']:.1%}",
            f"{found['box_median_pixels']:.2f}",
            f"{found['landmarks_median_pixels']:.2f}",
            f"{found['box_bias_pixels']:.2f}",
            f"{found['landmarks_bias_pixels']:.2f}",
            f"{found['overlap_mean']:.3f}",
            f"{found['overlap_above_0.8']:.1%}",
        )
        for what, found in (
            ("facenet-pytorch's", document["reference"]),
            ("its own, compressed once more", document["compressed"]),
        )
    ]
    columns = (
        *("beside", f"boxes within {near}", f"landmarks within {near}", "median, boxes"),
        *("median, landmarks", "bias, boxes", "bias, landmarks", "overlap", "overlap above 0.8"),
    )
    yield from table(columns, rows)
    yield ""
    yield (
        f"Of {document['pairs']} pairs over them, FaceNet decides "
        f"**{document['decisions_that_differ']}** otherwise when faces are cut by these boxes and "
        f"not by facenet-pytorch's ({document['right_by_own']} and "
        f"{document['right_by_reference']} right, at the threshold that is best for the latter); "
        f"cosines differ by {document['cosine_difference_mean']:.3f} on average."
    )
