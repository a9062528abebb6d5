"""A run's report as one HTML page without external files."""

from crawler.jobs.report.material import gather
from crawler.jobs.report.report_page import page

__all__ = ["gather", "page"]
