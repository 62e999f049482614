"""The journal, and the bodies it holds."""
