"""Small numbers in place of texts that rows repeat: hosts, callbacks, reasons."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

#: Beyond this many, a word is stored as itself.
MAX_WORDS = 500


class StringTable:
    """The numbers of hosts and words of a run; new ones count once they are `kept`."""

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
        """A host's number; 0 for one that has no URLs."""
        return self._hosts.get(name, 0)

    def host(self, name: str) -> int:
        """A host's number, given to it in the open transaction if it has none."""
        number = self._hosts.get(name) or self._new_hosts.get(name)
        if number is None:
            number = len(self._hosts) + len(self._new_hosts) + 1
            self._new_hosts[name] = number
            self._connection.execute("INSERT INTO hosts VALUES(?, ?)", (number, name))
        return number

    def word(self, word: str) -> int | str:
        """A word's number, given to it in the open transaction if it has none."""
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
        """The word that a row holds."""
        return self._spelled[stored] if isinstance(stored, int) else stored

    def keep(self) -> None:
        """Keep the new numbers: the transaction is committed."""
        if self._new_hosts:
            self._hosts.update(self._new_hosts)
        if self._new_words:
            self._words.update(self._new_words)
            self._spelled.update({n: word for word, n in self._new_words.items()})
        self.forget()

    def forget(self) -> None:
        """Drop the new numbers: the transaction was rolled back."""
        self._new_hosts, self._new_words = {}, {}


def spelled_words(connection: sqlite3.Connection) -> Callable[[int | str], str]:
    """A function that gives a row's word, for a reader beside a running crawl."""
    words = _read_words(connection)

    def spelled(stored: int | str) -> str:
        if isinstance(stored, int) and stored not in words:
            words.update(_read_words(connection))
        return words[stored] if isinstance(stored, int) else stored

    return spelled


def _read_words(connection: sqlite3.Connection) -> dict[int, str]:
    found = connection.execute("SELECT number, word FROM words")
    return {0: "", **dict(found)}
