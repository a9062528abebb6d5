"""A run's report as one page of HTML that needs nothing else."""

from crawler.jobs.report.material import gather
from crawler.jobs.report.page import page

__all__ = ["gather", "page"]
