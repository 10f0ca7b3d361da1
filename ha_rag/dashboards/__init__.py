"""What draws the monitor's snapshot: the web page and the terminal view."""
