"""Language: how a text is cut into words and sentences, whatever language and script it is written in.

Documents and questions are cut alike. Pure functions, safe across threads and tasks.
"""
