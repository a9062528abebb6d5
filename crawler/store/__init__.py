"""Where a crawl keeps what is to be visited, what was seen and what came out."""
