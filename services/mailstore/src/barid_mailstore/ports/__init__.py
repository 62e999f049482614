"""What the mailstore needs of the world: a store, the journal's packs, a bus, a clock."""
