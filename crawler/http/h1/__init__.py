"""HTTP/1.1 over httptools (RFC 9112)."""
