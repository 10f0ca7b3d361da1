"""One picture of the fleet, and its two skins: the web page and the terminal view."""
