"""One run of a spider: engine, scheduler, committer, visitor and what they need.

Read engine.py first.
"""
