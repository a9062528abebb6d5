"""Exit codes of the `crawl` command. They never change, so that scripts can rely on
them.

Rule: if several codes apply to a crawl, the first of 2, 5, 1, 4, 3 is used.
"""

#: Exit code: the crawl is complete, or a limit set by the user ended it.
COMPLETE = 0
#: Exit code: the crawl crashed, or an output could not be written.
CRASHED = 1
#: Exit code: the command line or the settings are wrong, or the state is unreadable.
USAGE = 2
#: Exit code: the crawl is complete, but had more failures or fewer items than allowed.
POOR = 3
#: Exit code: the run was stopped early; the same command resumes it.
STOPPED = 4
#: Exit code: another process already runs this job.
LOCKED = 5
