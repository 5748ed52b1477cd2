"""Tests of servers of our own. How one ends is shown by those that serve something."""
