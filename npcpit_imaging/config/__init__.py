"""What a study and a site decided, as frozen classes read from TOML."""
