"""Typed items: classes whose fields say where their values are on a page."""
