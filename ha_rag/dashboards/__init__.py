"""Views of the fleet snapshot: the web page and the terminal view."""
