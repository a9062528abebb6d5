"""HTTP/1.1 connections (RFC 9112); the parser is httptools."""
