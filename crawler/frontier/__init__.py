"""Decides which request is sent next: by priority, due time, and the delay between
requests to each host. No I/O and no clock."""
