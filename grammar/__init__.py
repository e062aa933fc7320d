"""The grammar of the language and the tables made from it; no compiler code."""
