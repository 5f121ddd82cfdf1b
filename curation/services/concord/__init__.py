"""How far annotators agree, of any project: what is said of a unit, its sums, how they keep up, what they tell."""
