"""Birch Data: several persons a request, answered under a key, each with a status of its own.

Here: everything that knows its contract, in the shape of a provider's folder.
"""
