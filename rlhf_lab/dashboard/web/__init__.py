"""The parts of the dashboard that are plain HTTP: signing in, accounts, files, health."""
