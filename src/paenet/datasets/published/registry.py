"""The published data sets: what each is, where to get it, on which terms, and what reads it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paenet.datasets.errors import DataError
from paenet.datasets.examples import Examples
from paenet.datasets.pairs import Pairs
from paenet.datasets.published import (
    adience,
    affectnet,
    cifar100,
    fairface,
    fer2013,
    fotw,
    imdb_wiki,
    lfw,
    raf_db,
    utkface,
    vggface2,
)
from paenet.datasets.published.listing import SPLITS, Listing, check_needs
from paenet.errors import suggest


@dataclass(frozen=True)
class Published:
    """A published data set in the layout that its owners distribute.

    Attributes:
        name: as recipes call it.
        title: as people call it.
        url: where its owners give it away, or say how to ask for it.
        terms: on which terms, in short; the owners' own words count.
        read: reads what it lists; its keyword arguments are the options of the data set.
        labels: the columns of labels that every example has.
        paper: what Hung et al. (ICMR 2019) use it for; "" where they do not.
        splits: that it has.
        pairs: reads its pairs of faces, where it has some.
        pairs_file: finds the file of these in a folder, which may lack it.
    """

    name: str
    title: str
    url: str
    terms: str
    read: Callable[..., Listing]
    labels: tuple[str, ...]
    paper: str = ""
    splits: tuple[str, ...] = SPLITS
    pairs: Callable[[str | Path], Pairs] | None = None
    pairs_file: Callable[[str | Path], Path | None] = lambda _: None

    @property
    def options(self) -> dict[str, Any]:
        """The defaults by option; `needs` (which labels must be known) is one of every data set."""
        parameters = inspect.signature(self.read).parameters.values()
        own = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        return {**own, "needs": list(self.labels)}


_RESEARCH = "non-commercial research only"

PUBLISHED: Mapping[str, Published] = {
    entry.name: entry
    for entry in (
        Published(
            name="vggface2",
            title="VGGFace2",
            url="https://www.robots.ox.ac.uk/~vgg/data/vgg_face2/",
            terms=f"{_RESEARCH}; its owners offer it no more",
            read=vggface2.list_vggface2,
            labels=vggface2.LABELS,
            paper="identity, the first task",
        ),
        Published(
            name="lfw",
            title="Labeled Faces in the Wild",
            url="http://vis-www.cs.umass.edu/lfw/",
            terms="research; images belong to their photographers",
            read=lfw.list_lfw,
            labels=lfw.LABELS,
            paper="test of identity: verification of 6000 pairs",
            splits=("test",),
            pairs=lfw.read_lfw_pairs,
            pairs_file=lfw.find_lfw_pairs,
        ),
        Published(
            name="adience",
            title="Adience",
            url="https://talhassner.github.io/home/projects/Adience/Adience-data.html",
            terms="research, on request; photographs under Creative Commons licences",
            read=adience.list_adience,
            labels=adience.LABELS,
            paper="age and gender, five folds (experiment 1)",
        ),
        Published(
            name="imdb-wiki",
            title="IMDb-Wiki",
            url="https://data.vision.ee.ethz.ch/cvl/rrothe/imdb-wiki/",
            terms="academic research only; images belong to their owners",
            read=imdb_wiki.list_imdb_wiki,
            labels=imdb_wiki.LABELS,
            paper="ages, beside ChaLearn's, in the authors' repository",
        ),
        Published(
            name="fotw",
            title="Faces of the World, smile and gender",
            url="https://chalearnlap.cvc.uab.cat/challenge/13/description/",
            terms=f"{_RESEARCH}, after registration",
            read=fotw.list_fotw,
            labels=fotw.LABELS,
            paper="gender (experiment 2)",
        ),
        Published(
            name="affectnet",
            title="AffectNet",
            url="http://mohammadmahoor.com/affectnet/",
            terms=f"{_RESEARCH}, on request by a university",
            read=affectnet.list_affectnet,
            labels=affectnet.LABELS,
            paper="expression, seven classes (experiment 2)",
        ),
        Published(
            name="utkface",
            title="UTKFace",
            url="https://susanqq.github.io/UTKFace/",
            terms=_RESEARCH,
            read=utkface.list_utkface,
            labels=utkface.LABELS,
        ),
        Published(
            name="fairface",
            title="FairFace",
            url="https://github.com/joojs/fairface",
            terms="CC BY 4.0",
            read=fairface.list_fairface,
            labels=fairface.LABELS,
        ),
        Published(
            name="raf-db",
            title="RAF-DB",
            url="http://www.whdeld.cn/RAF/model1.html",
            terms=f"{_RESEARCH}, on request",
            read=raf_db.list_raf_db,
            labels=raf_db.LABELS,
        ),
        Published(
            name="fer2013",
            title="FER2013 and FER+",
            url="https://www.kaggle.com/c/challenges-in-representation-learning-"
            "facial-expression-recognition-challenge/data"
            " and https://github.com/microsoft/FERPlus",
            terms="images found on the web for a challenge; labels of FER+: MIT",
            read=fer2013.list_fer2013,
            labels=fer2013.LABELS,
        ),
        Published(
            name="cifar100",
            title="CIFAR-100",
            url="https://www.cs.toronto.edu/~kriz/cifar.html",
            terms="none stated; part of 80 million tiny images, found on the web",
            read=cifar100.list_cifar100,
            labels=cifar100.LABELS,
            paper="comparison of methods: twenty tasks, one for each group",
        ),
    )
}


def published(name: object) -> Published:
    """The published data set of this name.

    Raises:
        DataError: where there is none; offers the nearest name.
    """
    if str(name) not in PUBLISHED:
        raise DataError(f"data: unknown dataset {name!r}{suggest(str(name), PUBLISHED)}")
    return PUBLISHED[str(name)]


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Refuses an option that the data set does not have.

    Raises:
        DataError: where there is one, or no such data set; offers the nearest name.
    """
    known = published(name).options
    for key in options:
        if key not in known:
            raise DataError(f"{name}: unknown option {key!r}{suggest(str(key), known)}")


def read_published(
    name: str, root: str | Path, split: str | None = None, **options: Any
) -> Examples:
    """The examples of a published data set, from a folder in its owners' layout.

    Args:
        name: one of `PUBLISHED`.
        root: the folder.
        split: train, val or test; None takes all.
        options: those of the data set (`Published.options`). `needs` names the label columns that
            must be known: rows that lack one are left out. By default all; a label that is
            unknown in a column beside them is "".

    Returns:
        Examples with the data set's label columns and `split`; `Examples.skipped` says what is
        left out of the data set, and why.

    Raises:
        DataError: where there is no such data set, option, folder, label file or split; names it.
    """
    entry = published(name)
    check_options(name, options)
    needs = check_needs(name, options.pop("needs", None), entry.labels)
    try:
        listing = entry.read(Path(root), **options)
    except DataError as error:
        raise DataError(f"{name}: {error}") from None
    return listing.examples(f"{name} in {root}", split, needs)
