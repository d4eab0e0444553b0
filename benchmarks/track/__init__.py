"""What is followed over commits: every installed paper at smoke, and the core's own speed."""
