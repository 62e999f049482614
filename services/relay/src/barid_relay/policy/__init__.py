"""Pure decisions: where mail goes, what a reply means, when to try again, what the sender is told."""
