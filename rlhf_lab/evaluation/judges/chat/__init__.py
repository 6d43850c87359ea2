"""A judge behind an OpenAI-compatible chat endpoint."""
