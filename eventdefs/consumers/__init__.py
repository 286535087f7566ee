"""Consumers receive notifications: here from files and streams."""
