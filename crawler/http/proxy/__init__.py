"""The way through a proxy: who it is, and how a tunnel is opened."""
