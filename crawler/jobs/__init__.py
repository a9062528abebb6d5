"""Jobs: spiders that run on a schedule, and the results of their runs."""
