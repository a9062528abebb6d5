"""Standards, pure: URLs, links, cookies, encodings, robots.txt, limits on HTML."""
