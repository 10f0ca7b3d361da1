"""Puts the packages together: the only package that knows the concrete component classes."""
