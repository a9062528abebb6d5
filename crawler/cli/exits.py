"""Exit codes: stable numbers, so that scripts can tell how a crawl ended.

Rule: if several codes apply, the first of 2, 5, 1, 4, 3 is used.
"""

#: The crawl is complete, or a limit set by the user ended it.
COMPLETE = 0
#: An error that is not the user's: a crash or a failed output.
CRASHED = 1
#: Wrong usage or wrong configuration.
USAGE = 2
#: Complete, but with more failures or fewer items than allowed.
POOR = 3
#: The run was stopped early; the same command resumes it.
STOPPED = 4
#: Another process runs this job.
LOCKED = 5
