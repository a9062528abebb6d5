"""One request, one exchange: what stands around it, in order."""

from crawler.visit.bandwidth import Bandwidth
from crawler.visit.callbacks import Callbacks, user_frame
from crawler.visit.retries import Retries
from crawler.visit.robots import RobotsTable
from crawler.visit.sessions import Sessions
from crawler.visit.visit import Clocks, Surroundings, Visitor

__all__ = [
    "Bandwidth",
    "Callbacks",
    "Clocks",
    "Retries",
    "RobotsTable",
    "Sessions",
    "Surroundings",
    "Visitor",
    "user_frame",
]
