"""The directory's operations, one file a subject matter, and the service that opens the doors."""
