from crawler.sinks import ItemRow
from crawler.sinks.row_keys import RowOwner

OWNER = RowOwner("books", 7)
ROW = ItemRow(12, 0, 0, b'{"url":"x","n":[1]}')


def test_without_an_item_key_a_row_is_identified_by_its_number() -> None:
    assert OWNER.key(ROW, ()) == "books/7/12"


def test_the_key_of_a_row_is_the_values_of_the_item_key() -> None:
    assert OWNER.key(ROW, ("url", "n", "none")) == '["x",[1],null]'
