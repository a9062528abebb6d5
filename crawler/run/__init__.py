"""One run of a spider: the engine, and its parts such as scheduler, visitor and
committer.

Read engine.py first.
"""
