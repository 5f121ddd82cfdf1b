"""Gold: tasks whose answer is known. `marking` makes them, `serving` puts them among the others, `scoring` says how
right an answer was, `suspecting` doubts the gold, `telling` says it all to people."""
