"""The order of requests: priorities, due times and the pace of each host. Pure."""
