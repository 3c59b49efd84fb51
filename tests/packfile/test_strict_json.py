"""JSON from outside is what it says, once, or is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paenet.packfile import PackFileError, strict_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=9,
)


@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_json_comes_back(value: dict[str, object]) -> None:
    assert strict_json.parse(json.dumps(value), "it") == value
    assert strict_json.parse(json.dumps(value, ensure_ascii=False).encode(), "it") == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "its it is not JSON"),
        ("[]", "its it is not a JSON object"),
        ('{"a": 1, "a": 1}', "key 'a' occurs twice"),
        ('{"b": [{"a": 1, "a": 2}]}', "key 'a' occurs twice"),
        ('{"a": Infinity}', "Infinity is no JSON number"),
        ('{"a": -Infinity}', "-Infinity is no JSON number"),
        ('{"a": NaN}', "NaN is no JSON number"),
        ('{"a": 1e999}', "'1e999' is larger than any float64"),
        ('{"a": [-1e999]}', "'-1e999' is larger than any float64"),
        ('{"a": 1}x', "is not JSON"),
        ('{"a": ' + "[" * 64 + "]" * 64 + "}", "nested too deeply"),
        ('{"a": ' + "[" * 10**6 + "]" * 10**6 + "}", "nested too deeply"),
        ('{"a": ' * 10**5, "nested too deeply"),
        ('{"' + "a" * 10**6 + '": 1, "' + "a" * 10**6 + '": 1}', "occurs twice"),
        (
            "{" + ", ".join(f'"{n}": 1' for n in [*range(3 * 10**5), 7]) + "}",
            "key '7' occurs twice",
        ),
        ("9" * 10**6, "is not JSON"),
        (b'{"a": "\xff"}', "is not JSON"),
        ('{"a": 1}'.encode("utf-16"), "is not JSON"),
        ('{"a": 1}'.encode("utf-32-le"), "is not JSON"),
        (b'\xef\xbb\xbf{"a": 1}', "is not JSON"),
    ],
)
def test_anything_else_is_refused(text: str | bytes, reason: str) -> None:
    with pytest.raises(PackFileError, match=reason) as caught:
        strict_json.parse(text, "it")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("inner", ["", "1", '"text", null'])
def test_the_deepest_that_is_allowed_is_read(inner: str) -> None:
    text = '{"a": ' + "[" * 63 + inner + "]" * 63 + "}"
    assert strict_json.parse(text, "it") == json.loads(text)
