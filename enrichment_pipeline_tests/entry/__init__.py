"""Tests of the point of entry. What they share over HTTP is `over_http.py`."""
