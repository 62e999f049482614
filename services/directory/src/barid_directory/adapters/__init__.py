"""The doors: the store on SQLite, argon2 on threads."""
