"""Configurations: what can be set (schema), read from YAML (reader), written as YAML (writer), errors (messages)."""
