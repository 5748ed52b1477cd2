"""Faithful local stand-ins, a folder for each provider: real servers that answer as documented.

A stand-in is an independent implementation of its provider: nothing here may import the rest of the
package, so that a mistake in the client cannot hide behind the same mistake in its counterpart.
Production code reaches it through its URL only. Beside the folders lies what any stand-in needs.
"""
