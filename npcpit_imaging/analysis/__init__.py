"""The study's results: endpoints, agreement, association. Takes tables, gives tables; no I/O."""
