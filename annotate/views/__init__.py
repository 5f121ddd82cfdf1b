"""Pages of the annotation screen."""
