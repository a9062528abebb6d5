"""Makes files with which systemd, cron or Kubernetes runs jobs on their schedules."""
