"""Checks and encodes the parts of a request, and holds the response of a host."""
