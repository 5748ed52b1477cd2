"""SignalHire: its HTTP API (`client.py`) and the meaning of its answers (`answers.py`).

Here: everything that knows SignalHire's contract. The sandbox speaks the same
one; only URL and key differ.
"""
