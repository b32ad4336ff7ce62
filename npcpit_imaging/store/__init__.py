"""The study's memory: records in a database, objects on disk."""
