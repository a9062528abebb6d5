"""Exit codes of the `crawl` command. They never change, so that scripts can rely on
them.

Rule: if several codes apply to a crawl, the first of 2, 5, 1, 4, 3 is used.
"""

#: The crawl is complete, or a limit set by the user ended it.
COMPLETE = 0
#: A crash, or an output that could not be written.
CRASHED = 1
#: A wrong command line, wrong settings, or an unreadable state.
USAGE = 2
#: The crawl is complete, but had more failures or fewer items than allowed.
POOR = 3
#: The run was stopped early; the same command resumes it.
STOPPED = 4
#: Another process already runs this job.
LOCKED = 5
