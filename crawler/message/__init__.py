"""The parts of requests and responses: checking, encoding, and the response to a
request."""
