"""The report that people look at: one page of HTML, and its pictures."""
