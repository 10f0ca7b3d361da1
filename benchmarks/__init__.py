"""One command each: a claim is a number with the command that makes it. Ratios in one run, never bare times."""
