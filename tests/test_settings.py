"""Settings: their sources, their precedence, and the rejected values."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from crawler import settings
from crawler.errors import ConfigError
from crawler.settings import Layer, Settings


def layer(section: str, key: str, value: Any, source: str = "config.toml") -> Layer:
    return Layer(source, {section: {key: value}})


def test_without_any_source_all_settings_have_their_defaults() -> None:
    assert settings.build([]) == Settings()


def test_the_last_source_takes_precedence_key_by_key() -> None:
    built = settings.build(
        [
            Layer("config.toml", {"crawl": {"workers": 4, "depth": 2}}),
            layer("crawl", "workers", 8, "-s"),
        ]
    )

    assert built.crawl.workers == 8
    assert built.crawl.depth == 2


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        pytest.param(
            "crawl", "worker", 4,
            "config.toml: unknown setting crawl.worker; did you mean 'workers'?",
            id="a typo in a key",
        ),
        pytest.param(
            "politness", "robots", True,
            "config.toml: unknown section [politness]; did you mean 'politeness'?",
            id="a typo in a section",
        ),
        pytest.param(
            "crawl", "workers", "many",
            "config.toml: crawl.workers = 'many': Expected `int`, got `str`",
            id="a wrong type",
        ),
        pytest.param(
            "http", "read", "soon",
            "config.toml: http.read = 'soon': "
            "'soon' is not a duration such as 30s or 10m",
            id="no duration",
        ),
        pytest.param(
            "http", "max_body", "much",
            "config.toml: http.max_body = 'much': "
            "'much' is not a size such as 500 kB or 32 MiB",
            id="no size",
        ),
        pytest.param(
            "crawl", "workers", 0,
            "config.toml: crawl.workers = 0: the value must be at least 1, not 0",
            id="nobody to work",
        ),
        pytest.param(
            "http", "max_body", 0,
            "config.toml: http.max_body = 0: the value must be above 0, not 0",
            id="no room for a body",
        ),
        pytest.param(
            "politeness", "rate", -1,
            "config.toml: politeness.rate = -1: "
            "the value is below 0; write a number that is 0 or above",
            id="a negative rate",
        ),
        pytest.param(
            "politeness", "rate", float("nan"),
            "config.toml: politeness.rate = nan: "
            "the value is not a finite number; write a number that is 0 or above",
            id="no number",
        ),
        pytest.param(
            "retry", "statuses", [99],
            "config.toml: retry.statuses = [99]: 99 is not an HTTP status; use 100 "
            "to 599",
            id="no status",
        ),
        pytest.param(
            "crawl", "user_agent", "  ",
            "config.toml: crawl.user_agent = '  ': the value is empty; write a text",
            id="no name",
        ),
        pytest.param(
            "crawl", "contact", "me\r\nCookie: x",
            "config.toml: crawl.contact = 'me\\r\\nCookie: x': "
            "the value has a character that cannot be printed, such as a line break; "
            "remove it",
            id="a header of its own",
        ),
        pytest.param(
            "http", "proxy", "127.0.0.1:8080",
            "config.toml: http.proxy = '127.0.0.1:8080': "
            "the proxy's URL is not valid; "
            "write http://host:port, or socks5://host:port",
            id="a proxy of no kind",
        ),
        pytest.param(
            "http", "proxy", "http://",
            "config.toml: http.proxy = 'http://': "
            "the proxy's URL is not valid; "
            "write http://host:port, or socks5://host:port",
            id="a proxy without a name",
        ),
        pytest.param(
            "proxies", "list", ["http://a:1", "b:1:me:pw"],
            "config.toml: proxies.list = '...': "
            "the proxy's URL in entry 2 is not valid; "
            "write http://host:port, or socks5://host:port",
            id="a proxy in the list",
        ),
        pytest.param(
            "storage", "mode", "disk",
            "config.toml: storage.mode = 'disk': Invalid enum value 'disk'; "
            "use 'durable' or 'memory'",
            id="no such mode",
        ),
    ],
)  # fmt: skip
def test_an_invalid_setting_is_reported_in_one_line_with_its_location(
    section: str, key: str, value: Any, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        settings.build([layer(section, key, value)])

    assert str(caught.value) == message


def test_a_section_must_be_a_table() -> None:
    with pytest.raises(ConfigError, match=r"crawl is not a table"):
        settings.build([Layer("config.toml", {"crawl": 3})])  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("section", "key"),
    [("politeness", "rate"), ("crawl", "grace"), ("retry", "wait"), ("crawl", "depth")],
)
def test_zero_is_allowed_if_it_has_a_meaning(section: str, key: str) -> None:
    built = settings.build([layer(section, key, 0)])

    assert getattr(getattr(built, section), key) == 0


def test_none_is_allowed_if_it_is_the_default() -> None:
    built = settings.build(
        [layer("crawl", "depth", 3), layer("crawl", "depth", "none", "-s")]
    )

    assert built.crawl.depth is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90", 90), (90, 90), ("90s", 90), ("1.5 m", 90), ("2h", 7200), ("250ms", 0.25)],
)
def test_durations_may_have_units(text: str, expected: float) -> None:
    assert settings.seconds(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [(1024, 1024), ("1 kB", 1000), ("64 KiB", 65536), ("32 MiB", 33554432), ("7b", 7)],
)
def test_sizes_may_have_units(text: str, expected: int) -> None:
    assert settings.size(text) == expected


def test_an_environment_variable_has_two_underscores_between_its_names() -> None:
    read = settings.from_environment(
        {"CRAWL_HTTP__READ": "5", "CRAWL_CRAWL__CONTACT": "me@x.example", "PATH": "/"}
    )

    assert read.values == {"http": {"read": 5}, "crawl": {"contact": "me@x.example"}}


def test_an_unknown_environment_variable_is_named() -> None:
    read = settings.from_environment({"CRAWL_HTTP__RED": "5"})

    with pytest.raises(ConfigError, match=r"environment: .*http.red; .*'read'"):
        settings.build([read])


def test_flags_are_parsed_as_toml_or_as_text() -> None:
    read = settings.from_flags(
        [
            "crawl.workers=4",
            "http.verify=false",
            "http.read=10s",
            "retry.statuses=[500]",
        ]
    )

    assert read.values == {
        "crawl": {"workers": 4},
        "http": {"verify": False, "read": "10s"},
        "retry": {"statuses": [500]},
    }


@pytest.mark.parametrize("flag", ["workers=4", "crawl.workers", "crawl"])
def test_a_flag_without_section_or_value_is_rejected(flag: str) -> None:
    with pytest.raises(ConfigError, match=r"not of the form section\.key=value"):
        settings.from_flags([flag])


def test_a_folder_without_a_config_file_has_the_defaults(tmp_path: Path) -> None:
    found, path = settings.from_file(tmp_path)

    assert path is None
    assert settings.build([found]) == Settings()


def test_settings_are_read_from_config_toml(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[crawl]\nworkers = 3\n")

    found, path = settings.from_file(tmp_path)

    assert path == tmp_path / "config.toml"
    assert settings.build([found]).crawl.workers == 3


def test_settings_are_read_from_pyproject_toml_too(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.crawl.crawl]\nworkers = 3\n")

    found, path = settings.from_file(tmp_path)

    assert path == tmp_path / "pyproject.toml"
    assert settings.build([found]).crawl.workers == 3


def test_settings_in_two_files_are_an_error_that_names_both(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[crawl]\nworkers = 3\n")
    (tmp_path / "pyproject.toml").write_text("[tool.crawl.crawl]\nworkers = 3\n")

    with pytest.raises(
        ConfigError, match=r"config.toml.*pyproject.toml.*keep them in one"
    ):
        settings.from_file(tmp_path)


def test_a_config_toml_of_another_program_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[server]\nport = 80\n")

    found, path = settings.from_file(tmp_path)

    assert path is None
    assert not found.values


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[crawl\n", r"is not valid TOML: .*line 1"),
        (b"[crawl]\nworkers = \xff\n", r"cannot be read"),
    ],
)
def test_a_broken_file_is_reported_in_one_line_with_its_name(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "config.toml").write_bytes(content)

    with pytest.raises(ConfigError, match=r"config\.toml " + message) as caught:
        settings.from_file(tmp_path)

    assert "\n" not in str(caught.value)


def test_the_user_agent_contains_the_contact() -> None:
    built = settings.build([layer("crawl", "contact", "https://x.example/bot")])

    assert built.user_agent().endswith(" (+https://x.example/bot)")


def test_a_socks_proxy_without_its_extra_is_rejected_before_the_run() -> None:
    # The child has no socksio, whatever is installed here.
    code = (
        "import sys; sys.modules['socksio'] = None\n"
        "from crawler import Request, settings\n"
        "from crawler.errors import ConfigError\n"
        "proxy = 'socks5://ann:secret@p.example:1'\n"
        "for make in (lambda: settings.build([settings.Layer('file',"
        " {'http': {'proxy': proxy}})]),"
        " lambda: Request('https://a.example/', proxy=proxy)):\n"
        "    try: make()\n"
        "    except ConfigError as exc: print(exc)\n"
    )

    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    first, second = run.stdout.splitlines()
    needs = "a SOCKS proxy needs the extra `socks`: pip install 'exact-crawler[socks]'"
    assert first == f"file: http.proxy = 'socks5://***@p.example:1': {needs}"
    assert second == f"proxy 'socks5://***@p.example:1' cannot be used: {needs}"


@pytest.mark.parametrize("value", ["http://ann:se#cret@p", "//ann:secret@p", "x:y@p"])
def test_no_message_contains_the_password_of_a_proxy(value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings.build([Layer("file", {"http": {"proxy": value}})])

    assert "cret" not in str(caught.value)
