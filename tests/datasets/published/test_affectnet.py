"""AffectNet: both layouts give the seven expressions; what is none of them is counted."""

import io
import pickle
from pathlib import Path

import numpy as np
import pytest

from paenet.datasets import DataError, read_published
from tests.datasets.published.trees import labels, put_images, put_lines, reasons

HEADER = (
    "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,"
    "expression,valence,arousal"
)
NAMES = "neutral happy sad surprise fear disgust anger".split()


def line(path: str, expression: object, valence: object = "0.25", arousal: object = "-0.5") -> str:
    return f"{path},134,134,899,899,181.64;530.91;189.32,{expression},{valence},{arousal}"


def put_lists(
    root: Path, *odd: str, folder: str = "", lists: str = "", header: bool = True
) -> Path:
    train = [f"{n % 9}/{n:x}.jpg" for n in range(77)]
    val = [f"9/{n}.JPG" for n in range(7)]
    put_images(root / folder, [*train, *val])
    lines = [line(path, n % 7) for n, path in enumerate(train)]
    put_lines(root / lists / "training.csv", HEADER, *lines, *odd)
    lines = [line(path, n) for n, path in enumerate(val)]
    put_lines(root / lists / "validation.csv", *([HEADER] if header else []), *lines)
    return root


@pytest.mark.parametrize(
    ("folder", "lists"), [("", ""), ("Manually_Annotated_Images", "Manually_Annotated_file_lists")]
)
def test_lists_name_images_and_expressions(folder: str, lists: str, tmp_path: Path) -> None:
    root = put_lists(tmp_path, folder=folder, lists=lists)
    test = read_published("affectnet", root, "test")
    assert test.columns["expression"] == tuple(NAMES)
    assert test.paths[6] == f"{folder}/9/6.JPG".removeprefix("/")
    assert set(test.columns["valence"]) == {"0.25"}
    assert set(test.columns["arousal"]) == {"-0.5"}
    train, val = (read_published("affectnet", root, split) for split in ("train", "val"))
    assert len(train) + len(val) == 77
    assert 1 < len(val) < 20
    assert not set(train.paths) & set(val.paths)


def test_the_same_rows_are_for_validation_wherever_the_archive_lies(tmp_path: Path) -> None:
    found = []
    for number, folder in enumerate(("", "Manually_Annotated_Images")):
        root = put_lists(tmp_path / str(number), folder=folder)
        val = read_published("affectnet", root, "val").paths
        found.append([path.removeprefix(f"{folder}/") for path in val])
    assert found[0] == found[1]


def test_a_list_without_a_header_has_the_usual_columns(tmp_path: Path) -> None:
    root = put_lists(tmp_path, header=False)
    assert read_published("affectnet", root, "test").columns["expression"] == tuple(NAMES)


def test_other_expressions_and_odd_rows_are_counted(tmp_path: Path) -> None:
    odd = [
        *(line("1/1.jpg?", code) for code in range(7, 11)),
        *(line(f"{n}.jpg", code) for n, code in enumerate((7, 8, 9, 10, 99, "x", -1, "1e9", ""))),
        line("0/0.jpg", 0),
        line("gone.jpg", 1),
        line("a.jpg", "3.0", -2, "nan"),
        "1,2",
    ]
    root = put_lists(tmp_path, *odd)
    put_images(root, [f"{n}.jpg" for n in range(9)] + ["a.jpg"])
    examples = read_published("affectnet", root)
    assert len(examples) == 85
    assert reasons(examples) == {
        "no such image": 5,
        **{f"expression {name}": 1 for name in ("contempt", "none", "uncertain", "no-face")},
        **{f"expression {text}": 1 for text in ("99", "'x'", "'-1'", "'1e9'", "''")},
        **{"listed before": 1, "2 cells, not 9": 1},
    }
    assert labels(examples, "expression")["a.jpg"] == "surprise"
    assert labels(examples, "valence")["a.jpg"] == labels(examples, "arousal")["a.jpg"] == ""


def put_npy(file: Path, value: object, *, allow_pickle: bool = False) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    np.save(file, np.array(value), allow_pickle=allow_pickle)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for part, count in (("train_set", 40), ("val_set", 10)):
        put_images(tmp_path / part / "images", [f"{n}.jpg" for n in range(count)])
        for n in range(count):
            # Releases differ: text, a number, a number in an array of one.
            value = (str(n % 8), n % 8, [float(n % 8)])[n % 3]
            put_npy(tmp_path / part / f"annotations/{n}_exp.npy", value)
    return tmp_path


def test_files_hold_one_expression_each(files: Path) -> None:
    examples = read_published("affectnet", files)
    assert len(examples) == 44
    assert reasons(examples) == {"expression contempt": 6}
    found = labels(examples, "expression")
    for n in range(40):
        if n % 8 < 7:
            assert found[f"train_set/images/{n}.jpg"] == NAMES[n % 8]
    assert len(read_published("affectnet", files, "test")) == 9


def test_annotations_are_never_unpickled(files: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return pytest.fail, ("unpickled",)

    folder = files / "train_set/annotations"
    put_npy(folder / "0_exp.npy", Bomb(), allow_pickle=True)
    (folder / "1_exp.npy").write_bytes(pickle.dumps(Bomb()))
    (folder / "2_exp.npy").unlink()
    (folder / "3_exp.npy").write_bytes(b"")
    put_npy(folder / "4_exp.npy", [1, 2])
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "<i8", "fortran_order": False, "shape": (10**15,)}
    )
    (folder / "5_exp.npy").write_bytes(head.getvalue())
    found = reasons(read_published("affectnet", files))
    assert found == {
        "a broken annotation file": 5,
        "no annotation file": 1,
        "expression contempt": 6,
    }


def test_neither_layout_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"neither training\.csv nor train_set/"):
        read_published("affectnet", tmp_path)
    put_lines(tmp_path / "training.csv", HEADER)
    with pytest.raises(DataError, match=r"validation\.csv: No such file"):
        read_published("affectnet", tmp_path)
