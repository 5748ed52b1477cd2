"""Tests of review files and of what a decision may be."""
