"""Generates the pages of an invented bookshop; one seed always gives the same pages.

The shop has two hundred books on ten shelves. Like real shops it has lists over several
pages, reviews as JSON, redirects, a link to a missing page, a slow page, and a
robots.txt that forbids two paths. No I/O, no clock.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape

from crawler.demo import words

BOOKS_A_SHELF = 20
#: Maximum number of books on one page of a list.
BOOKS_A_PAGE = 8
#: Seconds before the response of the slow page.
SLOW = 1.5

ROBOTS = """\
User-agent: *
Disallow: /staff/
Disallow: /basket
"""


@dataclass(frozen=True, slots=True)
class ShopPage:
    """One response of the shop."""

    body: str = ""
    #: The Content-Type of the response.
    kind: str = "text/html; charset=utf-8"
    status: int = 200
    #: The target of a redirect; "" for other responses.
    location: str = ""
    #: Seconds before the response is sent.
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Book:
    """One book of the shop."""

    #: The book's position in the shop's catalogue, from 1.
    number: int
    title: str
    author: str
    shelf: str
    #: The price in pence.
    pence: int
    year: int
    about: str
    #: The number of stars in each review of the book.
    stars: tuple[int, ...]
    #: The texts of the reviews, in the order of `stars`.
    opinions: tuple[str, ...]

    @property
    def path(self) -> str:
        """The path of the book's page, such as /books/17-the-quiet-lighthouse."""
        slug = re.sub(r"[^a-z]+", "-", self.title.lower()).strip("-")
        return f"/books/{self.number}-{slug}"

    @property
    def short_path(self) -> str:
        """The old path of the book's page, which redirects to `path`."""
        return f"/b/{self.number}"

    @property
    def price(self) -> str:
        """The price as text, such as £12.50."""
        return f"£{self.pence // 100}.{self.pence % 100:02}"


@dataclass(frozen=True)
class Shop:
    """The whole shop: its books, and its pages by path."""

    seed: int = 1
    books: Sequence[Book] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "books", tuple(_books(random.Random(self.seed))))

    @cached_property
    def pages(self) -> dict[str, ShopPage]:
        """All responses of the shop, by path and query; any other path is a 404."""
        pages = {
            "/": _home(),
            "/robots.txt": ShopPage(ROBOTS, "text/plain"),
            "/window": ShopPage(_html("The window", "<p>You are patient."), delay=SLOW),
            "/about": ShopPage(_html("About us", "<p>We do not exist.")),
            "/offers": ShopPage(status=302, location="/shelves/poetry"),
            "/basket": ShopPage(_html("Your basket", "<p>It is empty.")),
            "/staff/rota": ShopPage(_html("Rota", "<p>You should not be here.")),
        }
        for shelf in words.SHELVES:
            here = [book for book in self.books if book.shelf == shelf]
            pages |= _shelf(f"/shelves/{shelf}", shelf.title(), here)
        picks = self.books[:: BOOKS_A_SHELF // 2]
        pages |= _shelf("/picks", "Picked by our staff", picks, by_short_path=True)
        for book in self.books:
            others = [each for each in self.books if each.author == book.author]
            pages[book.path] = _detail(book, others)
            pages[f"{book.path}/reviews.json"] = _reviews(book)
            pages[book.short_path] = ShopPage(status=301, location=book.path)
        return pages


def _books(chance: random.Random) -> Iterable[Book]:
    authors = [
        f"{first} {last}"
        for first, last in zip(words.FIRST_NAMES, words.LAST_NAMES, strict=True)
    ]
    titles: set[str] = set()
    for shelf in words.SHELVES:
        for _ in range(BOOKS_A_SHELF):
            title = _title(chance)
            while title in titles:
                title = _title(chance)
            titles.add(title)
            noun = chance.choice(words.NOUNS).lower()
            stars = tuple(chance.randint(2, 5) for _ in range(chance.randint(0, 4)))
            yield Book(
                number=len(titles),
                title=title,
                author=chance.choice(authors),
                shelf=shelf,
                pence=chance.randrange(350, 3500, 5),
                year=chance.randint(1890, 2025),
                about=chance.choice(words.OPENINGS).format(noun=noun),
                stars=stars,
                opinions=tuple(
                    chance.choice(words.OPINIONS).format(noun=noun) for _ in stars
                ),
            )


def _title(chance: random.Random) -> str:
    adjective, adjective_2 = chance.sample(words.ADJECTIVES, 2)
    noun, other = chance.sample(words.NOUNS, 2)
    title = chance.choice(words.PATTERNS).format(
        adjective=adjective, adjective_2=adjective_2, noun=noun, other=other
    )
    is_vowel = adjective[0] in "AEIOU"
    return title.replace("A ", "An ", 1) if is_vowel and title[:2] == "A " else title


def _html(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><title>{escape(title)}</title></head>'
        f"<body><h1>{escape(title)}</h1>{body}</body></html>"
    )


def _home() -> ShopPage:
    shelves = "".join(
        f'<li><a href="/shelves/{shelf}">{shelf.title()}</a>' for shelf in words.SHELVES
    )
    body = (
        f'<nav class="shelves"><ul>{shelves}</ul>'
        '<a href="/picks">Picks</a> <a href="/offers">Offers</a></nav>'
        '<footer><a href="/window">The window</a> <a href="/about">About us</a> '
        '<a href="/catalogue-1998">The catalogue of 1998</a> '
        '<a href="/basket">Your basket</a> <a href="/staff/rota">Staff only</a> '
        '<a href="https://publisher.example/">Our publisher</a></footer>'
    )
    return ShopPage(_html("The bookshop", body))


def _shelf(
    path: str, title: str, books: Sequence[Book], *, by_short_path: bool = False
) -> dict[str, ShopPage]:
    """Return the pages of a list of books by path: /shelves/poetry,
    /shelves/poetry?page=2 and so on."""
    starts = range(0, len(books), BOOKS_A_PAGE)
    pages = {}
    for page, start in enumerate(starts, 1):
        here = books[start : start + BOOKS_A_PAGE]
        body = "".join(_listed(book, by_short_path) for book in here)
        if page < len(starts):
            body += f'<a class="next" href="{path}?page={page + 1}">More</a>'
        address = path if page == 1 else f"{path}?page={page}"
        pages[address] = ShopPage(_html(f"{title}, page {page}", body))
    return pages


def _listed(book: Book, by_short_path: bool) -> str:
    path = book.short_path if by_short_path else book.path
    return (
        f'<article class="book"><h3><a class="detail" href="{path}">'
        f'{escape(book.title)}</a></h3><p class="price">{book.price}</p></article>'
    )


def _detail(book: Book, others: Sequence[Book]) -> ShopPage:
    more = "".join(
        f'<li><a class="detail" href="{each.path}">{escape(each.title)}</a>'
        for each in others
        if each is not book
    )
    body = (
        f'<p class="author">{escape(book.author)}</p><p class="price">{book.price}</p>'
        f'<p class="shelf"><a href="/shelves/{book.shelf}">{book.shelf}</a></p>'
        f'<p class="year">{book.year}</p><p class="about">{escape(book.about)}</p>'
        f'<a class="reviews" href="{book.path}/reviews.json">Reviews</a>'
        f"<h2>More by the author</h2><ul>{more}</ul>"
        '<a href="https://publisher.example/">Our publisher</a>'
    )
    return ShopPage(_html(book.title, body))


def _reviews(book: Book) -> ShopPage:
    reviews = [
        {"stars": stars, "text": text}
        for stars, text in zip(book.stars, book.opinions, strict=True)
    ]
    text = json.dumps({"book": book.number, "reviews": reviews}, ensure_ascii=False)
    return ShopPage(text, "application/json")
