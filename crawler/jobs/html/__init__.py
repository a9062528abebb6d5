"""A run's report as one page of HTML that needs nothing else."""

from crawler.jobs.html.material import gather
from crawler.jobs.html.page import page

__all__ = ["gather", "page"]
