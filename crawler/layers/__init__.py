"""What stands between a visit and the wire: sessions, robots.txt, redirects, retry."""
