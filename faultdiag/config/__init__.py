"""The config: schema, loading, overrides, starter files."""
