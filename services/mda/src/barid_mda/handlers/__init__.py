"""Work from the bus becomes settlements."""
