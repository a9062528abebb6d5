"""Turns forms of a page into requests."""
