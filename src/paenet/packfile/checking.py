"""Whether a file keeps every law that a file can be held to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from paenet.errors import PaenetError
from paenet.packfile import container
from paenet.packfile import tensors as named
from paenet.packfile.errors import CodeNeededError, naming
from paenet.packfile.reading import understood
from paenet.packfile.restoring import restore
from paenet.packfile.schema import Document
from paenet.packfile.tensors import Finding
from paenet.packing import Pack
from paenet.packing.stems import refuse_wrong_stem
from paenet.packing.widening import Builder

BITS_LAW = "every bit is as it was written, and the metadata is complete and agrees with itself"
FIT_LAW = "the tensors are those of the backbone at its widths, and channel maps lead to channels"
WIDTH_LAW = "a task owns nothing outside its own width"
STEM_LAW = "a task owns nothing in its stem"
FINGERPRINT_LAW = "every task has the fingerprint that it had when it was learnt"
LAWS = (BITS_LAW, *named.LAWS, FIT_LAW, WIDTH_LAW, STEM_LAW, FINGERPRINT_LAW)
"""In the order in which they are looked at."""
_NETWORK_LAWS = (WIDTH_LAW, STEM_LAW, FINGERPRINT_LAW)


@dataclass(frozen=True, slots=True)
class Report:
    """What a check of a file found.

    Attributes:
        path: of the file.
        verified: the laws that it keeps.
        findings: how it breaks the others; empty where all is well.
        skipped: the laws that could not be looked at, with the reason.
        tasks: the tasks whose fingerprints were computed again and are as stored.
    """

    path: str
    verified: tuple[str, ...]
    findings: tuple[Finding, ...]
    skipped: tuple[Finding, ...] = ()
    tasks: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no law is broken."""
        return not self.findings


def check(
    path: str | Path,
    *,
    backbone: nn.Module | Builder | None = None,
    heads: Mapping[str, nn.Module] | None = None,
) -> Report:
    """Holds a file to every law.

    Args:
        path, backbone, heads: as for `read`. Where the file needs code that is not handed over,
            the laws about the networks are skipped.

    Returns:
        What was verified, and what was found. Anything but a `.pae` is a finding.

    Raises:
        PackFileError: where there is no file, or it cannot be read.
    """
    path = Path(path)
    with naming(path):
        container.refuse_unreadable(path)
    try:
        with container.opened(path) as archive:
            archive.check()
            held = understood(archive, path)
            tensors = held.everything()
    except PaenetError as error:
        later = tuple(Finding(law, "the file cannot be read so far") for law in LAWS[1:])
        return Report(str(path), (), (Finding(BITS_LAW, str(error)),), later)
    document = held.document
    # That every owner is a task, that free weights are zero, and that only weights that are seen
    # are picked, follows from how a file is made; tensors that the format does not have were
    # refused before.
    findings = list(named.infinite(tensors))
    skipped: list[Finding] = []
    tasks: list[str] = []
    try:
        pack = restore(held, tensors, backbone, heads or {})
    except CodeNeededError as error:
        skipped += (Finding(law, str(error)) for law in (FIT_LAW, *_NETWORK_LAWS))
    except PaenetError as error:
        findings.append(Finding(FIT_LAW, str(error)))
        reason = "the networks cannot be put together"
        skipped += (Finding(law, reason) for law in _NETWORK_LAWS)
    else:
        changed = dict(_changed(document, pack))
        tasks += (name for name in pack.tasks if name not in changed)
        findings += [*_beyond_width(pack), *_in_stems(pack), *changed.values()]
    open_laws = {finding.law for finding in (*findings, *skipped)}
    verified = tuple(law for law in LAWS if law not in open_laws)
    return Report(str(path), verified, tuple(findings), tuple(skipped), tuple(tasks))


def _beyond_width(pack: Pack) -> Iterator[Finding]:
    for task in pack.tasks.values():
        maps = pack.widths[task.width].maps
        for name, layer in pack.layers.items() if maps is not None else ():
            assert maps is not None
            mine = layer.owner == task.slot
            outside = int(mine.sum() - maps[name].narrow(mine).sum())
            if outside:
                yield Finding(
                    WIDTH_LAW,
                    f"layer {name!r}: task {task.name!r} owns {outside} weights that its network "
                    "does not have; make the file again",
                )


def _in_stems(pack: Pack) -> Iterator[Finding]:
    stemmed = [task for task in pack.tasks.values() if task.stem is not None]
    try:
        splits = pack.splits() if stemmed else {}
    except PaenetError as error:
        yield Finding(STEM_LAW, str(error))
        return
    for task in stemmed:
        assert task.stem is not None
        try:
            refuse_wrong_stem(splits, task.stem)
        except PaenetError as error:
            yield Finding(STEM_LAW, f"task {task.name!r}: {error}")
            continue
        for name in sorted(task.stem.layers):
            owned = int((pack.layers[name].owner == task.slot).sum())
            if owned:
                yield Finding(
                    STEM_LAW,
                    f"layer {name!r}: task {task.name!r} owns {owned} weights in its stem; make "
                    "the file again",
                )
        for key in sorted(splits[task.stem.name].keys(task.private)):
            yield Finding(
                STEM_LAW,
                f"tensor {key!r}: task {task.name!r} has one of its own in its stem; make the file "
                "again",
            )


def _changed(document: Document, pack: Pack) -> Iterator[tuple[str, Finding]]:
    """The tasks that compute something else than they did."""
    for record in document.tasks:
        now = pack.fingerprint(record.name)
        if now != record.fingerprint:
            yield (
                record.name,
                Finding(
                    FINGERPRINT_LAW,
                    f"task {record.name!r}: its network has fingerprint {now[:16]}… and was learnt "
                    f"with {record.fingerprint[:16]}…; take the file from a backup",
                ),
            )
