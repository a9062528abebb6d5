"""The message for a feature whose package is not installed. Pure."""

from crawler.errors import ConfigError


def missing(feature: str, package: str, extra: str) -> ConfigError:
    """Return the error for a feature whose optional package is missing."""
    return ConfigError(
        f"{feature} needs {package}: pip install 'exact-crawler[{extra}]'"
    )
