"""Web standards as pure functions: URLs, links, cookies, encodings, robots.txt, HTML
limits."""
