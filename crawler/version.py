"""The version number, read by the build and used in the User-Agent."""

__version__ = "0.2.0"
