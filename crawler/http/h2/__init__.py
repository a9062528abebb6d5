"""HTTP/2 (RFC 9113): the protocol engine of the transport."""
