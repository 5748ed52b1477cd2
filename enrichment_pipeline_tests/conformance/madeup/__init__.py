"""A made-up provider, to see what it takes to add one: a folder (`acme/`), a stand-in, a case.

Here: what differs from SignalHire on purpose. Not here: anything that ships.
"""
