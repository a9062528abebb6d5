"""What to install where a feature needs a package that is not here. Pure."""

from crawler.errors import ConfigError


def missing(feature: str, package: str, extra: str) -> ConfigError:
    """The error of a feature whose optional package is missing."""
    return ConfigError(
        f"{feature} needs {package}: pip install 'exact-crawler[{extra}]'"
    )
