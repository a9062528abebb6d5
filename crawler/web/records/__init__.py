"""Records of feeds that are read piece by piece: CSV, JSON lines, JSON arrays."""
