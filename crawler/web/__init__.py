"""Functions for web standards, without I/O: URLs, links, cookies, encodings, forms,
robots.txt."""
