"""Makes the report of a run as one HTML page, which needs no other files."""

from crawler.jobs.report.material import gather
from crawler.jobs.report.report_page import page

__all__ = ["gather", "page"]
