"""The durable store: one SQLite database for each job, one file for each run."""
