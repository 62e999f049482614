"""The journal in a bucket, with local copies of what is young."""
