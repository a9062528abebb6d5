"""The version number of the package; the build reads this file."""

__version__ = "0.2.0"
