"""Jobs: named spiders of config.toml, their schedules, and reports on their runs."""
