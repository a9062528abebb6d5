"""Makes the source code of a new spider from the guesses about its start page. No I/O.

Rule: the code passes ruff, the formatter of ruff, and mypy in strict mode.
"""

from __future__ import annotations

from dataclasses import dataclass

from crawler.cli.first_look import FirstPart, Look

_WIDTH = 88


@dataclass(frozen=True)
class Names:
    """The name of a new spider, of its class and of its host, and its start URL."""

    name: str
    class_name: str
    url: str
    host: str


def spider_text(names: Names, look: Look | None) -> str:
    """Return the source code of a spider that yields the items guessed in `look`.

    Without guesses the spider yields the title of each page.
    """
    if look is not None and look.is_json:
        return _of_rows(names, look)
    if look is not None and look.entries:
        return _of_entries(names, look)
    if look is not None and look.linked and not look.parts:
        return _of_linked_data(names, look)
    if look is None or not look.parts:
        return _of_pages(names, look)
    return _of_items(names, look)


def quoted(text: str) -> str:
    """Return the text as a Python string literal, in quotes that need few escapes."""
    mark = "'" if '"' in text and "'" not in text else '"'
    escaped = "".join(
        f"\\{char}"
        if char in ("\\", mark)
        else char
        if char.isprintable()
        else ascii(char)[1:-1]
        for char in text
    )
    return f"{mark}{escaped}{mark}"


def _of_items(names: Names, look: Look) -> str:
    item = f"{names.class_name}Item"
    fields = "".join(_field(part) for part in look.parts)
    further = '        # For more pages: yield response.follow_all("a.next")\n'
    if look.next_link:
        further = _call("        yield response.follow_all(", look.next_link)
    loop = f"        for item in response.extract({item}, {quoted(look.items)}):\n"
    if len(loop) > _WIDTH + 1:
        loop = (
            f"        found = response.extract(\n            {item}, "
            f"{quoted(look.items)}\n        )\n        for item in found:\n"
        )
    return (
        _docstring(names)
        + "from dataclasses import dataclass\n"
        + "from typing import Annotated\n\n"
        + "from crawler import Response, Results, Spider, css\n\n\n"
        + f"@dataclass\nclass {item}:\n{fields}\n\n"
        + _class(names)
        + loop
        + "            yield item\n"
        + further
    )


def _of_rows(names: Names, look: Look) -> str:
    rows = f"response.json()[{quoted(look.rows)}]" if look.rows else "response.json()"
    return (
        _docstring(names)
        + "from crawler import Response, Results, Spider\n\n\n"
        + _class(names)
        + f"        for row in {rows}:\n            yield row\n"
    )


#: The elements for title, URL and date of an entry, in RSS ("item") and in Atom.
_ENTRY = {
    "item": ("title", "link", "pubDate"),
    "entry": ("title", "id", "updated"),
}


def _of_entries(names: Names, look: Look) -> str:
    space, _, tag = look.entries.rpartition("}")
    space += "}" * bool(space)
    keys = zip(("title", "url", "date"), _ENTRY[tag], strict=True)
    values = "".join(
        f'                "{key}": entry.findtext({quoted(space + name)}),\n'
        for key, name in keys
    )
    return (
        _docstring(names)
        + "from crawler import Response, Results, Spider\n\n\n"
        + _class(names)
        + f"        for entry in response.xml.iter({quoted(look.entries)}):\n"
        + f"            yield {{\n{values}            }}\n"
    )


def _of_linked_data(names: Names, look: Look) -> str:
    values = "".join(
        f'                "{_key(path)}": item.get("{path}"),\n' for path in look.paths
    )
    return (
        _docstring(names)
        + "from crawler import Response, Results, Spider\n\n\n"
        + _class(names)
        + f'        for item in response.linked_data("{look.linked}"):\n'
        + '            yield {\n                "url": response.url,\n'
        + f"{values}            }}\n"
        + _call("        yield response.follow_all(", look.next_link or "a")
    )


def _key(path: str) -> str:
    """Return the key of an item for the value at a path in linked data.

    The key is "price" for "offers.price", and "author" for "author.name".
    """
    first, _, last = path.rpartition(".")
    return first if last == "name" and first else last


def _of_pages(names: Names, look: Look | None) -> str:
    selector = look.title if look is not None and look.title else "title"
    text = f'response.page.text("{selector}", default=None)'
    following = look.next_link if look is not None else ""
    return (
        _docstring(names)
        + "from crawler import Response, Results, Spider\n\n\n"
        + _class(names)
        + f'        yield {{"url": response.url, "title": {text}}}\n'
        + _call("        yield response.follow_all(", following or "a")
    )


def _docstring(names: Names) -> str:
    return f'"""Crawls {names.host}. Run it with: crawl run {names.name}"""\n\n'


def _class(names: Names) -> str:
    urls = f"    start_urls = [{quoted(names.url)}]\n"
    if len(urls) > _WIDTH + 1:
        urls = f"    start_urls = [\n        {quoted(names.url)}\n    ]\n"
    return (
        f"class {names.class_name}(Spider):\n"
        f'    name = "{names.name}"\n{urls}\n'
        "    async def parse(self, response: Response) -> Results:\n"
    )


def _field(part: FirstPart) -> str:
    kind = "str" if part.is_everywhere else "str | None"
    source = f"css({quoted(part.selector)}"
    if part.attr:
        source += f', attr="{part.attr}"'
        source += ", absolute=True" * (part.attr in ("href", "src"))
    line = f"    {part.name}: Annotated[{kind}, {source})]\n"
    if len(line) <= _WIDTH + 1:
        return line
    return f"    {part.name}: Annotated[\n        {kind}, {source})\n    ]\n"


def _call(start: str, text: str) -> str:
    line = f"{start}{quoted(text)})\n"
    if len(line) <= _WIDTH + 1:
        return line
    indent = len(start) - len(start.lstrip())
    inner = " " * (indent + 4) + quoted(text)
    return f"{start}\n{inner}\n{' ' * indent})\n"
