"""The assets, in the order of the data: source, look-ups, outcomes, publishing.

Here: one module per group; each asset is a few lines over a step (`steps/`). Asset
keys equal table names, and are fixed.
"""
