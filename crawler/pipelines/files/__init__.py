"""Fetches the files that items name, and puts their paths into the items."""
