"""The error for a feature whose optional package is not installed."""

from crawler.errors import ConfigError


def missing(feature: str, package: str, extra: str) -> ConfigError:
    """Return the error that says which extra of this package `feature` needs."""
    return ConfigError(
        f"{feature} needs the package {package}, which is not installed; run: "
        f"pip install 'exact-crawler[{extra}]'"
    )
