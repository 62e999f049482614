"""Objects under keys in one bucket of an S3-compatible store."""
