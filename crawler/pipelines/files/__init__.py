"""Fetches files that items name, and puts their place into the item."""
