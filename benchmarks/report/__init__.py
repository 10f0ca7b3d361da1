"""One frame for the results of all benchmarks: rows, one run of each, and the page that shows them."""
