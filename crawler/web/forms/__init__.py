"""HTML forms (html.spec.whatwg.org, 4.10): fields, filling in, and what is sent.

Rule: no I/O. A file that is given by its path stays a path here; the client reads it.
"""
