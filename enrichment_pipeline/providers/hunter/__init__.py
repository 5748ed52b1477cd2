"""Hunter: its HTTP API (`client.py`) and the meaning of its answers (`answers.py`).

Here: everything that knows Hunter's contract. The stand-in speaks the same one; only URL and key
differ.
"""
