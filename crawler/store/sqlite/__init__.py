"""The durable store: one SQLite database for each job, and one file for each run."""
