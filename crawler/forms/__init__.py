"""Forms of a page as requests."""
