"""Providers of contact data: what they are asked, and what their answers mean.

Here: the common protocol and one package per provider. Not here: whether a
call may be made (`ledger/`), when it is made (`dispatch/`), and what becomes
of an answer (`warehouse/sql/`).
"""
