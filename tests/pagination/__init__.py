"""Walks over listings, without a server."""
