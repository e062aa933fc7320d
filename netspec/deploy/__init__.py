"""Networks laid out for servers."""
