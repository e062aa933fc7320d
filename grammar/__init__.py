"""The grammar of the language and what is generated from it: data, and the script that makes it; no compiler code."""
