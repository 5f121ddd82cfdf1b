"""The REST API under /api/v1/: each view checks access, parses, calls one service and answers."""
