"""Linear branches side by side that become one layer. For inference only."""
