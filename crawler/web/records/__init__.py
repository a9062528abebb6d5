"""Reads the records of feeds piece by piece: CSV, JSON lines, JSON arrays."""
