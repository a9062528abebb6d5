"""Typed items: classes whose fields say where on a page they come from."""
