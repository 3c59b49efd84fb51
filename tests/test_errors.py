from paenet.errors import suggest


def test_a_near_name_is_offered() -> None:
    assert suggest("gendr", ["age", "gender"]) == "; did you mean 'gender'?"


def test_without_a_near_name_all_are_listed_in_order() -> None:
    assert suggest("weight", ["gender", "age"]) == "; known: age, gender"


def test_nothing_known_is_said() -> None:
    assert suggest("age", []) == "; known: none"
