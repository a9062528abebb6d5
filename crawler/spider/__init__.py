"""What the author of a spider uses: the class Spider, its arguments, and the types of
the results of callbacks."""

from crawler.layers.declared_sessions import Session, SessionPool
from crawler.spider.arguments import Arg, Argument
from crawler.spider.base import Failure, Results, Spider

__all__ = [
    "Arg",
    "Argument",
    "Failure",
    "Results",
    "Session",
    "SessionPool",
    "Spider",
]
