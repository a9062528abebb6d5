"""The known name that is most similar to a mistyped name."""

from crawler.errors.nearest_name import nearest_name


def test_the_most_similar_name_is_found() -> None:
    assert nearest_name("bokos", ["shops", "books", "cooks"]) == "books"


def test_a_name_without_a_similar_one_has_no_nearest_name() -> None:
    assert nearest_name("bokos", ["shops", "fairs"]) is None
    assert nearest_name("bokos", []) is None


def test_known_names_may_come_from_any_iterable() -> None:
    assert nearest_name("bokos", (each for each in {"books": 1})) == "books"
