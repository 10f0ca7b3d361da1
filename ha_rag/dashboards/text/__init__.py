"""Parts of the terminal view: each a pure function from a snapshot and a viewport to lines that fit its width."""
