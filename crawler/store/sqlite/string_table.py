"""Small numbers in place of repeated texts in rows: hosts, callbacks, reasons."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

#: Maximum number of words (callbacks, reasons) that get a number; further words are
#: stored as text.
MAX_WORDS = 500


class StringTable:
    """The numbers that stand for a run's hosts and words (callbacks, reasons) in rows.
    Call `keep` after COMMIT, and `forget` after ROLLBACK."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._hosts: dict[str, int] = {}
        self._new_hosts: dict[str, int] = {}
        self._new_words: dict[str, int] = {}
        for number, name in connection.execute("SELECT number, name FROM hosts"):
            self._hosts[name] = number
        self._spelled = _read_words(connection)
        self._words = {word: number for number, word in self._spelled.items()}

    def find_host(self, name: str) -> int:
        """Return a host's number; 0 if the run has no URLs of the host."""
        return self._hosts.get(name, 0)

    def host(self, name: str) -> int:
        """Return a host's number; assign a number in the open transaction if the host
        has none."""
        number = self._hosts.get(name) or self._new_hosts.get(name)
        if number is None:
            number = len(self._hosts) + len(self._new_hosts) + 1
            self._new_hosts[name] = number
            self._connection.execute("INSERT INTO hosts VALUES(?, ?)", (number, name))
        return number

    def word(self, word: str) -> int | str:
        """Return the number of a word (a callback or reason); assign a number in the
        open transaction if it has none."""
        number = self._words.get(word)
        if number is None:
            number = self._new_words.get(word)
        if number is not None:
            return number
        number = len(self._words) + len(self._new_words)
        if number > MAX_WORDS:
            return word
        self._new_words[word] = number
        self._connection.execute("INSERT INTO words VALUES(?, ?)", (number, word))
        return number

    def spelled(self, stored: int | str) -> str:
        """Return the text of a value in a row: a number stands for a word, other values
        are the text itself."""
        return self._spelled[stored] if isinstance(stored, int) else stored

    def keep(self) -> None:
        """Keep the numbers assigned since the last COMMIT, which are now stored."""
        if self._new_hosts:
            self._hosts.update(self._new_hosts)
        if self._new_words:
            self._words.update(self._new_words)
            self._spelled.update({n: word for word, n in self._new_words.items()})
        self.forget()

    def forget(self) -> None:
        """Drop the numbers assigned since the last COMMIT, which are not stored."""
        self._new_hosts, self._new_words = {}, {}


def spelled_words(connection: sqlite3.Connection) -> Callable[[int | str], str]:
    """Return a function that turns a stored number into its text. The function also
    finds words that a running crawl stores later."""
    words = _read_words(connection)

    def spelled(stored: int | str) -> str:
        if isinstance(stored, int) and stored not in words:
            words.update(_read_words(connection))
        return words[stored] if isinstance(stored, int) else stored

    return spelled


def _read_words(connection: sqlite3.Connection) -> dict[int, str]:
    found = connection.execute("SELECT number, word FROM words")
    return {0: "", **dict(found)}
