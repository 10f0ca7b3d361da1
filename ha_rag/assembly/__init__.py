"""Plugs the rooms together: the only package that knows concrete classes."""

from ha_rag.assembly.replica import Replica, build_replica, registry_of, run, serve

__all__ = ["Replica", "build_replica", "registry_of", "run", "serve"]
