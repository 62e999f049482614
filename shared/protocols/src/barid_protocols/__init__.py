"""Sans-IO mail protocol cores: bytes in, events out."""
