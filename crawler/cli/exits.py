"""Exit codes: a contract, so that scripts can tell the ends of a crawl apart.

Rule: where several apply, it is the first of 2, 5, 1, 4, 3.
"""

#: Complete; also where a limit that the user set ended it.
COMPLETE = 0
#: An error that is not the user's.
CRASHED = 1
#: Wrong usage or configuration.
USAGE = 2
#: Complete, but more failures, or fewer items, than allowed.
POOR = 3
#: Stopped early; the same command goes on.
STOPPED = 4
#: Another process runs this job.
LOCKED = 5
