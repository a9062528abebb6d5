"""The project beside its peers, on the same site, in one run."""
