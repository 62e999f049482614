"""One suite per port: what every implementation must do. Subclass it beside the implementation's own tests."""
