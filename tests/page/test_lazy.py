"""A lazy value is computed once, and instances do not wait for each other."""

import threading

from crawler.page import lazy


class Word:
    def __init__(self, word: str, gate: threading.Event | None = None) -> None:
        self.word = word
        self.gate = gate
        self.begun = threading.Event()
        self.made = 0

    @lazy
    def loud(self) -> str:
        """The word in capitals."""
        self.begun.set()
        self.made += 1
        if self.gate is not None:
            assert self.gate.wait(20)
        return self.word.upper()


def test_a_lazy_value_is_computed_at_first_use_and_kept() -> None:
    word = Word("book")

    assert word.made == 0
    assert [word.loud, word.loud] == ["BOOK", "BOOK"]
    assert word.made == 1


def test_computing_a_value_does_not_block_other_instances() -> None:
    gate = threading.Event()
    slow, quick = Word("slow", gate), Word("quick")
    thread = threading.Thread(target=lambda: slow.loud)
    other = threading.Thread(target=lambda: quick.loud, daemon=True)
    thread.start()
    assert slow.begun.wait(20)

    other.start()
    other.join(10)

    is_free = not other.is_alive()
    gate.set()
    thread.join(20)
    assert is_free
    assert (slow.loud, quick.loud) == ("SLOW", "QUICK")


def test_the_class_attribute_is_the_descriptor() -> None:
    assert Word.loud.__doc__ == "The word in capitals."
