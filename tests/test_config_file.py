"""The shipped config.toml lists exactly the settings that exist."""

import re
import tomllib
from pathlib import Path

from crawler import settings
from crawler.run.assembly import DEFAULT_RATE
from crawler.settings import Layer, Settings, type_of_section

CONFIG = Path(__file__).parent.parent / "config.toml"
_SETTING = re.compile(r"# (\w+ = .+)")


def uncommented() -> dict[str, dict[str, object]]:
    """The file's values as they are where every setting's comment is taken away."""
    lines = [_SETTING.sub(r"\1", line) for line in CONFIG.read_text().splitlines()]
    return tomllib.loads("\n".join(lines))


def test_copying_the_shipped_file_changes_nothing() -> None:
    found, path = settings.from_file(CONFIG.parent)

    assert path == CONFIG
    assert settings.build([found]) == Settings()


def test_the_file_lists_every_setting_in_the_order_of_the_code() -> None:
    listed = {section: list(values) for section, values in uncommented().items()}

    assert listed == {
        section: list(kind.__struct_fields__)
        for section, kind in type_of_section.items()
    }


def test_the_values_in_the_file_are_the_defaults() -> None:
    values = uncommented()
    # The default is "8, and none for loopback", which no number says.
    assert values["politeness"].pop("rate") == DEFAULT_RATE

    assert settings.build([Layer("config.toml", values)]) == Settings()


def test_every_setting_has_a_line_that_explains_it() -> None:
    lines = CONFIG.read_text().splitlines()
    settings_at = [n for n, line in enumerate(lines) if _SETTING.fullmatch(line)]

    for number in settings_at:
        why = lines[number - 1]
        assert why.startswith("# "), lines[number]
        assert why.endswith("."), lines[number]
        assert not _SETTING.fullmatch(why), lines[number]
