"""The shared store: one PostgreSQL schema for each run, for any number of processes."""
