"""Recorded answers: README.md beside this file follows one call through the room."""
