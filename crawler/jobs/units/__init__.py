"""Units for other schedulers: systemd, cron and Kubernetes."""
