"""One folder for each target. A backend imports the core and never another backend."""
