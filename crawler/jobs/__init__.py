"""Spiders that run by themselves: jobs, their times, and what came of them."""
