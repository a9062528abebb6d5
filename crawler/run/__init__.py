"""One run of a spider: engine, scheduler, committer, visitor and their parts.

Read engine.py first.
"""
