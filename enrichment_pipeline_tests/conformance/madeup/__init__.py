"""Two made-up providers, to see what it takes to add one: a folder, a stand-in and a case each.

Here: what differs from SignalHire on purpose. Acme Directory (`acme/`) is asked for one person at
a time, and its reply is that person; Birch Data (`birch/`) for several, and its reply is an object
that holds the answers under a key. Not here: anything that ships.
"""
