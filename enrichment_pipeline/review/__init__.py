"""What reviewers are given and give back: files for a spreadsheet, and their decisions."""
