"""How far annotators agree: coefficients for categories, scales, rankings and spans, each with its source."""
