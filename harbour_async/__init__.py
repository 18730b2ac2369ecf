"""The asyncio client for Harbour's API v2.2."""
