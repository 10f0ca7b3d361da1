"""Generators: a question and passages into an answer. One backend a file; the teaching ones need no set-up."""
