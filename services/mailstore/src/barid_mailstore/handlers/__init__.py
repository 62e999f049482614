"""What the mailstore does when it is asked, and of itself."""
