"""The daily audit of the lake by Great Expectations: a second opinion, written apart from the rules that gate."""
