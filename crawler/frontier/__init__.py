"""Request order: priorities, due times and the pace of each host. Pure code, no I/O."""
