"""Acme Directory: one person a request, at once; what it cost stands in a header.

Here: everything that knows its contract, in the shape of a provider's folder.
"""
