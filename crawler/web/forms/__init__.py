"""HTML forms (html.spec.whatwg.org, 4.10): fields, filling in, and what is sent.

Rule: no I/O. The content of a file that is given by its path is read by the HTTP
client.
"""
