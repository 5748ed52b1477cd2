"""A faithful local SignalHire: a real HTTP server that answers as the provider documents it.

An independent implementation of the provider: nothing here may import the rest of the package, so
that a mistake in the client cannot hide behind the same mistake in its counterpart. Production code
reaches it through its URL only.
"""
