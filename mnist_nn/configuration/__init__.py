"""Configurations: their keys (schema), reading YAML (reader), writing YAML (writer), error messages (messages)."""
